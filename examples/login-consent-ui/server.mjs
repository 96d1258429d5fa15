// A login and consent application for Chancery: Node.js and nothing else. It speaks the challenge API with the paths
// and the JSON of Hydra v1.6; see docs/external-ui.md.
//
//   ADMIN_URL    the admin listener, http://127.0.0.1:8090
//   ADMIN_TOKEN  its token; may be left out for a loopback listener without one
//   PORT         where this application listens on 127.0.0.1, 3000
//
// The users are in this file, because they are yours: replace `authenticate` by your own user system.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { ADMIN_URL = "http://127.0.0.1:8090", ADMIN_TOKEN, PORT = "3000" } = process.env;

const users = { ada: { password: "lovelace", name: "Ada Lovelace", email: "ada@example.com" } };

function authenticate(name, password) {
  const user = Object.hasOwn(users, name) ? users[name] : undefined;
  const digest = (text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(user?.password ?? ""), digest(password)) && user ? name : undefined;
}

/** Looks at a challenge (GET), or answers it (PUT with a body). */
async function admin(path, challenge, body) {
  const response = await fetch(`${ADMIN_URL}/oauth2/auth/requests/${path}?challenge=${encodeURIComponent(challenge)}`, {
    method: body ? "PUT" : "GET",
    headers: { "content-type": "application/json", ...(ADMIN_TOKEN && { authorization: `Bearer ${ADMIN_TOKEN}` }) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error_description), { status: response.status });
  return answer;
}

const routes = {
  async "GET /login"({ query, browser }) {
    const challenge = query.get("login_challenge") ?? "";
    const request = await admin("login", challenge);
    // Somebody is signed in at Chancery already: no form, but the same subject.
    if (request.skip) return go(await admin("login/accept", challenge, { subject: request.subject }));
    return loginPage({ challenge, request, browser });
  },

  async "POST /login"({ form, browser }) {
    const challenge = form.get("challenge") ?? "";
    if (form.get("answer") === "deny") {
      return go(await admin("login/reject", challenge, { error: "access_denied", error_description: "Not signed in." }));
    }
    const subject = authenticate(form.get("username") ?? "", form.get("password") ?? "");
    if (!subject) {
      return loginPage({ challenge, request: await admin("login", challenge), browser, problem: "That is not right." });
    }
    const remember = form.get("remember") === "yes";
    return go(await admin("login/accept", challenge, { subject, remember, remember_for: 3600, amr: ["pwd"] }));
  },

  async "GET /consent"({ query, browser }) {
    const challenge = query.get("consent_challenge") ?? "";
    const request = await admin("consent", challenge);
    if (request.skip) return go(await allow(challenge, request, request.requested_scope, false));
    const scopes = request.requested_scope
      .map((scope) => `<p><label><input type="checkbox" name="scope" value="${escape(scope)}" checked> ${escape(scope)}</label></p>`)
      .join("");
    return form("/consent", challenge, browser, `${name(request)} asks for access`, `
      <p>You are ${escape(request.subject)}.</p>${scopes}
      <p><label><input type="checkbox" name="remember" value="yes"> Don't ask again</label></p>
      <button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button>`);
  },

  async "POST /consent"({ form }) {
    const challenge = form.get("challenge") ?? "";
    if (form.get("answer") !== "allow") {
      return go(await admin("consent/reject", challenge, { error: "access_denied", error_description: "Not allowed." }));
    }
    const request = await admin("consent", challenge);
    return go(await allow(challenge, request, form.getAll("scope"), form.get("remember") === "yes"));
  },
};

/** Grants these scopes, and says who the user is: in the ID token and at UserInfo. */
function allow(challenge, request, grant_scope, remember) {
  const user = users[request.subject] ?? {};
  const has = (scope) => grant_scope.includes(scope);
  return admin("consent/accept", challenge, {
    grant_scope,
    grant_access_token_audience: request.requested_access_token_audience,
    remember,
    remember_for: 0,
    session: { id_token: { ...(has("profile") && { name: user.name }), ...(has("email") && { email: user.email }) } },
  });
}

function loginPage({ challenge, request, browser, problem }) {
  return form("/login", challenge, browser, `Sign in to go on to ${name(request)}`, `
    ${problem ? `<p role="alert">${problem}</p>` : ""}
    <p><label>Name <input name="username" value="${escape(request.oidc_context?.login_hint ?? "")}" required></label></p>
    <p><label>Password <input type="password" name="password" required></label></p>
    <p><label><input type="checkbox" name="remember" value="yes" checked> Stay signed in</label></p>
    <button name="answer" value="allow">Sign in</button>
    <button name="answer" value="deny" formnovalidate>Cancel</button>`);
}

const name = (request) => escape(request.client.client_name ?? request.client.client_id);
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const go = ({ redirect_to }) => ({ status: 303, location: redirect_to });

// A form counts only if it comes from a page of ours in the same browser: it repeats what the cookie says.
function form(action, challenge, browser, title, inside) {
  return { status: 200, html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
    <h1>${title}</h1><form method="post" action="${action}">
    <input type="hidden" name="challenge" value="${escape(challenge)}"><input type="hidden" name="csrf" value="${browser}">
    ${inside}</form></html>` };
}

async function answer(request) {
  const url = new URL(request.url, "http://localhost");
  const cookie = request.headers.cookie?.match(/(?:^|; )ui=([0-9a-f]{32})(?:;|$)/)?.[1];
  const browser = cookie ?? randomBytes(16).toString("hex");
  let body = "";
  for await (const chunk of request) if ((body += chunk).length > 65536) throw Object.assign(new Error("Too long."), { status: 413 });
  const posted = new URLSearchParams(body);
  const route = routes[`${request.method} ${url.pathname}`];
  if (!route) throw Object.assign(new Error("There is no such page."), { status: 404 });
  if (request.method === "POST" && (!cookie || posted.get("csrf") !== cookie)) {
    throw Object.assign(new Error("Go back and try again."), { status: 403 });
  }
  return { browser, ...(await route({ query: url.searchParams, form: posted, browser })) };
}

createServer(async (request, response) => {
  const { status, location, html, browser } = await answer(request).catch((error) => ({
    status: error.status ?? 502,
    html: `<!doctype html><title>Error</title><p>${escape(error.message)}`,
  }));
  const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", "x-frame-options": "DENY" };
  if (browser) headers["set-cookie"] = `ui=${browser}; Path=/; HttpOnly; SameSite=Lax`;
  if (location) headers.location = location;
  response.writeHead(status, headers).end(html ?? "");
}).listen(Number(PORT), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${PORT}`));
