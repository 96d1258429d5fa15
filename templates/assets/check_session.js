// OpenID Connect Session Management 1.0, 3.2: an application asks from the page around this frame, by its client_id and
// the session_state that it was given, whether the browser's sign-in is still the same.
const cookie = `${document.currentScript.dataset.cookie}=`;

function browserState() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(cookie));
  return found && found.slice(cookie.length);
}

async function judge(message, origin) {
  const [client, state, ...rest] = typeof message === "string" ? message.split(" ") : [];
  const salt = state && state.split(".")[1];
  const now = browserState();
  // Without a cookie nothing can be told: the browser keeps it from frames of other sites.
  if (!client || !salt || rest.length || !now) return "error";
  const text = new TextEncoder().encode(`${client} ${origin} ${now} ${salt}`);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const base64 = btoa(String.fromCharCode(...hash));
  const expected = base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return state === `${expected}.${salt}` ? "unchanged" : "changed";
}

addEventListener("message", async (event) => {
  if (event.source !== parent) return;
  const answer = await judge(event.data, event.origin).catch(() => "error");
  event.source.postMessage(answer, event.origin);
});
