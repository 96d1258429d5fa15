// What the client programs in this directory share: the environment that tests/clients/run gives them, and checks of it.

import { assert } from "../../support/report.mjs";

export function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const issuer = new URL(env("ISSUER"));
export const redirectUri = env("REDIRECT_URI");
export const user = { username: env("USERNAME"), password: env("PASSWORD") };
export const SCOPE = "openid profile email offline_access";

/** The id and the secret of a registered client: `client("POST")` is POST_CLIENT_ID and POST_CLIENT_SECRET. */
export function client(name = "") {
  const prefix = name && `${name}_`;
  return { id: env(`${prefix}CLIENT_ID`), secret: process.env[`${prefix}CLIENT_SECRET`] };
}

/** A path below the issuer. */
export const below = (path) => `${issuer.pathname.replace(/\/$/, "")}${path}`;

/** The OAuth error code an action must end with; `codeOf` finds it in what the library throws. */
export async function refused(action, code, codeOf = (error) => error.error) {
  let answer;
  try {
    answer = await action();
  } catch (error) {
    if ((await codeOf(error)) !== code) throw error;
    return;
  }
  assert(false, `it was answered, not refused: ${JSON.stringify(answer)}`);
}
