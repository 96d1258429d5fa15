// What an application does with the server, as events for the checker.

import { createHash, randomBytes } from "node:crypto";
import { REDIRECT_URI } from "./deployment.mjs";

const VERIFIER = randomBytes(32).toString("base64url");
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

/** Where an application sends a browser. */
export function authorization(deployment, more = {}) {
  const url = new URL(`${deployment.issuer}/authorize`);
  url.search = new URLSearchParams({
    ...{ response_type: "code", client_id: deployment.client.client_id, redirect_uri: REDIRECT_URI, state: "s" },
    ...{ scope: "openid offline_access read", code_challenge: CHALLENGE, code_challenge_method: "S256", ...more },
  });
  return url.href;
}

export const redemption = (code) => ({
  ...{ grant_type: "authorization_code", code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER },
});
export const refreshment = (token) => ({ grant_type: "refresh_token", refresh_token: token });

let grants = 0;

/** One grant, whose every request is an event in `history`. */
export class RecordedGrant {
  constructor(deployment, history, walker) {
    Object.assign(this, { deployment, history, walker, id: `grant ${(grants += 1)}` });
  }

  async #record(op, base, token, work) {
    const event = { grant: this.id, op, token, base, start: performance.now() };
    try {
      Object.assign(event, await work());
    } catch (error) {
      const why = String(error.cause?.message ?? error.message).slice(0, 300);
      // The walker tells the status of a page that it can do nothing with.
      const status = Number(why.match(/, status (\d+),/)?.[1]) || undefined;
      Object.assign(event, { outcome: "unknown", status, why });
    }
    event.end = performance.now();
    this.history.push(event);
    return event;
  }

  async authorize() {
    const event = await this.#record("authorize", this.deployment.issuer, undefined, async () => {
      const callback = await this.walker.walk(authorization(this.deployment), REDIRECT_URI);
      const code = callback.searchParams.get("code");
      if (!code) throw new Error(`no code: ${callback.search}`);
      return { outcome: "yes", gave: { code } };
    });
    this.code = event.gave?.code;
    return event;
  }

  async #tokens(op, base, token, form) {
    const event = await this.#record(op, base, token, async () => {
      const answer = await this.deployment.post(base, "/token", form);
      const { access_token: access, refresh_token: refresh, error } = answer.json;
      if (answer.status === 200) return { outcome: "yes", gave: { access, refresh } };
      return unfinished(answer, error === "invalid_grant" ? "no" : "unknown");
    });
    if (event.gave) Object.assign(this, event.gave);
    return event;
  }

  redeem(base) {
    return this.#tokens("redeem", base, this.code, redemption(this.code));
  }

  refreshWith(base, token = this.refresh) {
    return this.#tokens("refresh", base, token, refreshment(token));
  }

  introspect(base, token = this.access) {
    return this.#record("introspect", base, token, async () => {
      const answer = await this.deployment.post(base, "/introspect", { token });
      if (answer.status !== 200) return unfinished(answer, "unknown");
      return { outcome: answer.json.active ? "yes" : "no" };
    });
  }

  revoke(base, token) {
    return this.#record("revoke", base, token, async () => {
      const answer = await this.deployment.post(base, "/revoke", { token });
      return answer.status === 200 ? { outcome: "yes" } : unfinished(answer, "unknown");
    });
  }
}

function unfinished({ status, headers, text }, outcome) {
  return { outcome, status, retryAfter: headers.get("retry-after"), why: text.slice(0, 300) };
}
