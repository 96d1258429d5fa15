// Applications that work as fast as they can until they are told to stop: sign in once, then grant after grant. Each is
// refreshed, looked at, and then kept, revoked, or misused; what they saw is judged by the checker.

import { RecordedGrant } from "./application.mjs";
import { violations } from "./checker.mjs";
import { pause } from "./stage.mjs";
import { assertEqual } from "../support/report.mjs";

export class Load {
  #stopped = false;
  #working = [];
  history = [];
  kept = [];
  ended = [];

  /** `applications` of them, each with a user of its own, signed in. */
  static async start(deployment, prefix, applications) {
    const self = new Load();
    self.deployment = deployment;
    const names = Array.from({ length: applications }, (_, number) => `${prefix}${number}`);
    for (const [number, name] of names.entries()) {
      const { walker } = await deployment.person(name);
      // Half of them reach the replicas themselves, so that what a replica says is seen as it is.
      const bases = number % 2 ? deployment.direct : [deployment.issuer];
      self.#working.push(self.#work(walker, bases, number));
    }
    return self;
  }

  async #work(walker, bases, seed) {
    let turn = seed;
    const next = () => bases[(turn += 1) % bases.length];
    for (let number = seed; !this.#stopped; number += 1) {
      const grant = new RecordedGrant(this.deployment, this.history, walker);
      const last = await this.#live(grant, next, number);
      (last === "kept" ? this.kept : this.ended).push(grant);
      // What failed is not tried again at once.
      await pause(last === "failed" ? 200 : 100);
    }
  }

  /** The life of one grant: kept, ended, or failed on its way. */
  async #live(grant, next, number) {
    await grant.authorize();
    if (!grant.code || (await grant.redeem(next())).outcome !== "yes") return "failed";
    for (let count = 0; count < 2 + (number % 3); count += 1) {
      if (!(await this.#refresh(grant, next))) return "kept";
      await grant.introspect(next());
    }
    return this.#finish(grant, next, number);
  }

  /** Refreshes, and again with the same token while it is not known whether it was done. */
  async #refresh(grant, next) {
    const token = grant.refresh;
    while (!this.#stopped) {
      const { outcome } = await grant.refreshWith(next(), token);
      if (outcome !== "unknown") return outcome === "yes";
      await pause(200);
    }
    return false;
  }

  async #finish(grant, next, number) {
    const { code, refresh, access } = grant;
    switch (number % 7) {
      case 0:
        await this.#insist(() => grant.revoke(next(), refresh));
        break;
      case 1:
        await this.#insist(() => grant.revoke(next(), access));
        await grant.introspect(next(), access);
        return "kept";
      case 2:
        await this.#insist(() => grant.redeem(next(), code));
        break;
      case 3:
        await this.#insist(() => grant.refreshWith(next(), refresh));
        await this.#insist(() => grant.refreshWith(next()));
        await this.#insist(() => grant.refreshWith(next(), refresh));
        break;
      default:
        return "kept";
    }
    await grant.introspect(next(), access);
    await grant.refreshWith(next());
    return "ended";
  }

  /** Tries until there is an answer. */
  async #insist(request) {
    while ((await request()).outcome === "unknown" && !this.#stopped) await pause(200);
  }

  /** Everything that came so far since `mark`, by outcome. */
  since(mark, base) {
    const events = this.history.filter((event) => event.start >= mark && (!base || event.base === base));
    const of = (outcome) => events.filter((event) => event.outcome === outcome);
    return { yes: of("yes"), no: of("no"), unknown: of("unknown") };
  }

  /** Ends the load, then looks at every grant once more, at each replica in turn. */
  async stop() {
    this.#stopped = true;
    await Promise.all(this.#working);
    const { direct } = this.deployment;
    const audit = async ([number, grant]) => {
      if (!grant.access) return;
      await grant.introspect(direct[number % 3]);
      await grant.refreshWith(direct[(number + 1) % 3]);
    };
    const all = [...this.kept, ...this.ended].entries();
    const lane = async () => {
      for (const entry of all) await audit(entry);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
  }

  /** Checks what the checker finds; says what there was to find it in. */
  async verdict(report, name) {
    const counts = {};
    for (const { op, outcome } of this.history) counts[`${op} ${outcome}`] = (counts[`${op} ${outcome}`] ?? 0) + 1;
    console.log(`# ${Object.entries(counts).sort().map(([what, count]) => `${what}: ${count}`).join(", ")}`);
    const found = violations(this.history);
    const whole = (grant) => this.history.filter((event) => event.grant === grant);
    for (const one of found.slice(0, 5)) console.log(told(one, whole(one.grant)));
    await report.check(name, () => assertEqual(found.length, 0, "broken promises, those above among them"));
  }
}

/** A broken promise with the whole history of its grant, to be read. */
function told({ rule, grant }, events) {
  const short = (token) => token?.slice(-8) ?? "";
  const lines = events.map(({ op, token, base, start, end, outcome, status, why, gave }) => {
    const times = [start, end].map((time) => (time / 1000).toFixed(3)).join(" to ");
    return `#   ${times} ${op} ${short(token)} at ${base}: ${outcome} ${status ?? ""} ${why ?? ""} ${Object.values(gave ?? {}).map(short)}`;
  });
  return [`# ${rule}: ${grant}`, ...lines].join("\n");
}
