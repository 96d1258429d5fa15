// An answer that the browser posts to the application (OAuth 2.0 Form Post Response Mode), with and without JavaScript.

import { createServer } from "node:http";
import { assert, assertEqual } from "../support/report.mjs";

/** An application whose redirect URI takes a POST and shows nothing but a heading. */
export async function application() {
  const posts = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      if (request.method === "POST") {
        posts.push({ fields: Object.fromEntries(new URLSearchParams(body)), origin: request.headers.origin });
      }
      response.setHeader("content-type", "text/html").end("<title>Application</title><h1 id=arrived>Arrived</h1>");
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const redirectUri = `http://127.0.0.1:${server.address().port}/callback`;
  return { posts, redirectUri, close: () => server.close() };
}

/** Checks what the application got. */
export function assertPosted(about, application, state) {
  const { fields, origin } = application.posts.at(-1) ?? {};
  assert(fields, "nothing was posted");
  assertEqual(fields.state, state, "state");
  assertEqual(fields.iss, about.issuer, "iss");
  assert(fields.code, "no code was posted");
  assertEqual(origin, new URL(about.issuer).origin, "Origin");
}
