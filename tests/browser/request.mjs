// An authorization request of an application that the tests play themselves.

import { createHash, randomBytes } from "node:crypto";

/** The server's endpoint at this path. */
export const endpoint = (about, path) => `${about.issuer.replace(/\/$/, "")}${path}`;

/** Where the application sends the browser, and the verifier (RFC 7636 4.1) it keeps. */
export function authorization(about, parameters) {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    scope: "openid",
    nonce: "n",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...parameters,
  });
  return { url: endpoint(about, `/authorize?${query}`), verifier };
}
