// A browser without a screen: follows redirects, keeps cookies, fills in the HTML forms it is shown.

const HOPS = 15;

export class Walker {
  #cookies = new Map();
  /** The forms that were sent on the last walk: "login", "consent" or "other". */
  sent = [];

  constructor({ username, password }) {
    this.username = username;
    this.password = password;
  }

  /** Types a device's code at `start`, allows, and answers what the last page says. */
  async typeCode(start, code) {
    this.code = code;
    return this.walk(start, undefined);
  }

  /**
   * Walks from `start` until the server sends the browser to `destination`; answers that URL. Without a destination it
   * ends at the first page that asks nothing, and answers its text.
   */
  async walk(start, destination) {
    this.sent = [];
    let request = { url: new URL(start), method: "GET" };
    for (let hop = 0; hop < HOPS; hop += 1) {
      const response = await this.#send(request);
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location) {
        const url = new URL(location, request.url);
        if (isAt(url, destination)) return url;
        // 307 and 308 would repeat the method; the password must not travel twice (RFC 9700 4.12).
        if (response.status > 303) throw new Error(`a ${response.status} redirect from ${request.url}`);
        request = { url, method: "GET" };
        continue;
      }
      const page = await response.text();
      if (!destination && forms(page).length === 0) return text(page);
      const next = nextByRefresh(page, request.url) ?? this.#fill(page, request.url, response.status);
      if (isAt(next.url, destination)) return next.url;
      request = next;
    }
    throw new Error(`no end after ${HOPS} pages; the last one was ${request.url}`);
  }

  /** What a page is for this browser; redirects are not followed. */
  read(url) {
    return this.#send({ url, method: "GET" });
  }

  async #send({ url, method, body }) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      method,
      body,
      redirect: "manual",
      headers: { accept: "text/html", ...(cookie && { cookie }) },
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  #keep(line) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const [name, value] = splitOnce(pair, "=");
    const gone = attributes.some((attribute) => {
      const [key, when] = splitOnce(attribute.toLowerCase(), "=");
      return (key === "max-age" && Number(when) <= 0) || (key === "expires" && Date.parse(when) < Date.now());
    });
    if (gone) this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }

  #fill(page, url, status) {
    const form = forms(page).find((candidate) => candidate.method === "post");
    if (!form) throw new Error(`a page without a form, status ${status}, at ${url}:\n${text(page)}`);
    const fields = new URLSearchParams();
    const has = (type) => form.inputs.some((input) => input.type === type);
    // Of the buttons of a choice the one that goes on is pressed.
    const button = form.buttons.find(({ name, value }) => name && ["allow", "sign_out"].includes(value));
    this.sent.push(has("password") ? "login" : button?.value === "allow" ? "consent" : "other");
    if (has("password") && this.sent.filter((kind) => kind === "login").length > 1) {
      throw new Error(`the login form came back:\n${text(page)}`);
    }
    for (const input of form.inputs) {
      if (input.type === "password") fields.append(input.name, this.password);
      else if (input.name === "user_code" && input.type === "text") fields.append(input.name, this.code);
      else if (["text", "email"].includes(input.type)) fields.append(input.name, this.username);
      else if (input.type === "hidden" || input.checked) fields.append(input.name, input.value);
    }
    if (button) fields.append(button.name, button.value);
    return { url: new URL(form.action || url, url), method: "POST", body: fields };
  }
}

function isAt(url, destination) {
  if (!destination) return false;
  const wanted = new URL(destination);
  return url.origin === wanted.origin && url.pathname === wanted.pathname;
}

function nextByRefresh(page, base) {
  const meta = tags(page, "meta").find((tag) => tag["http-equiv"]?.toLowerCase() === "refresh");
  const target = meta?.content?.match(/url\s*=\s*['"]?([^'"]+)/i)?.[1];
  return target && { url: new URL(target, base), method: "GET" };
}

function forms(page) {
  return [...page.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gis)].map(([, head, body]) => {
    const form = attributes(head);
    return {
      action: form.action ?? "",
      method: (form.method ?? "get").toLowerCase(),
      inputs: tags(body, "input")
        .map((tag) => ({ ...tag, type: (tag.type ?? "text").toLowerCase(), value: tag.value ?? "on" }))
        .filter((tag) => tag.name)
        .map((tag) => ({ ...tag, checked: "checked" in tag })),
      buttons: tags(body, "button").map((tag) => ({ ...tag, value: tag.value ?? "" })),
    };
  });
}

function tags(html, name) {
  return [...html.matchAll(new RegExp(`<${name}\\b((?:[^>"']|"[^"]*"|'[^']*')*)>`, "gi"))].map(([, inside]) =>
    attributes(inside),
  );
}

function attributes(inside) {
  const found = {};
  for (const match of inside.matchAll(/([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    found[match[1].toLowerCase()] = decode(match[2] ?? match[3] ?? match[4] ?? "");
  }
  return found;
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decode(value) {
  return value.replace(/&(#x[0-9a-f]+|#\d+|[a-z]+);/gi, (whole, name) => {
    if (/^#x/i.test(name)) return String.fromCodePoint(parseInt(name.slice(2), 16));
    if (name.startsWith("#")) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name.toLowerCase()] ?? whole;
  });
}

function text(page) {
  return page
    .replace(/<(style|script|svg)\b.*?<\/\1>/gis, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 600);
}

function splitOnce(value, separator) {
  const at = value.indexOf(separator);
  return at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at + 1)];
}
