// Finds the promises of the server that a history of requests breaks. Nothing here asks a server or a clock.
//
// A history is a list of events, one a request, in any order, all times from one clock:
//   grant    which grant it is about: everything that came of one authorization request
//   op       authorize | redeem | refresh | introspect | revoke
//   token    what was presented: the code, a refresh token, an access token
//   start    when it was sent, in milliseconds
//   end      when its answer was there
//   outcome  "yes": it was done, or the token is active; "no": it was refused, or the token is inactive;
//            "unknown": an error or no answer, so that it may have been done or not, and may yet be
//   gave     what came back: {code} or {access, refresh}
//
// A grant or a token is seen alive by whatever works with it, and dead by whatever is refused or revokes it. What is said
// about two events holds only where one had ended before the other began: those that overlap may come in any order.

/** Every broken promise, as {rule, grant, events}. `codeSeconds` is the lifetime of a code. */
export function violations(history, { codeSeconds = 60 } = {}) {
  const found = [];
  for (const [grant, events] of groups(history, (event) => event.grant)) {
    const told = new Grant(events, codeSeconds);
    for (const [rule, find] of Object.entries(RULES)) {
      for (const broken of find(told)) found.push({ rule, grant, events: broken });
    }
  }
  return [...found, ...shared(history)];
}

const RULES = {
  "a code was honoured twice": (grant) => pairs(grant.done("redeem"), (one, two) => one.token === two.token),

  "a refresh token got two successors": (grant) =>
    pairs(grant.done("refresh"), (one, two) => one.token === two.token && one.gave.refresh !== two.gave.refresh),

  "a refresh token was honoured after its successor": (grant) =>
    grant.done("refresh").flatMap((late) =>
      grant
        .done("refresh")
        .filter((next) => grant.successor(late.token) === next.token && next.end < late.start)
        .map((next) => [next, late]),
    ),

  "what was revoked came back": (grant) =>
    grant.deaths().flatMap((death) =>
      grant
        .lives()
        .filter((life) => death.end < life.start && reaches(death, life))
        .slice(0, 1)
        .map((life) => [death, life]),
    ),

  "what was acknowledged was lost": (grant) =>
    grant
      .deaths()
      .filter((death) => death.op !== "revoke" && !grant.hasCause(death))
      .slice(0, 1)
      .map((death) => [grant.lastLifeBefore(death), death].filter(Boolean)),
};

/** What two grants must not have in common. */
function shared(history) {
  const givers = new Map();
  const found = [];
  for (const event of history.filter(({ gave }) => gave)) {
    for (const token of Object.values(event.gave).filter(Boolean)) {
      const first = givers.get(token) ?? event;
      givers.set(token, first);
      if (first.grant !== event.grant) {
        found.push({ rule: "two grants got the same token", grant: event.grant, events: [first, event] });
      }
    }
  }
  return found;
}

/** Whether the end of one thing says that the other is over: a grant takes all its tokens with it, a token only itself. */
function reaches(death, life) {
  return !death.only || (life.op === "introspect" && life.token === death.only);
}

class Grant {
  constructor(events, codeSeconds) {
    this.events = [...events].sort((one, two) => one.start - two.start);
    this.codeSeconds = codeSeconds;
    this.successors = new Map(this.done("refresh").map((event) => [event.token, event.gave.refresh]));
  }

  of(op) {
    return this.events.filter((event) => event.op === op);
  }

  done(op) {
    return this.of(op).filter((event) => event.outcome === "yes");
  }

  successor(token) {
    return this.successors.get(token);
  }

  lives() {
    return ["redeem", "refresh", "introspect"].flatMap((op) => this.done(op));
  }

  /** The events after which something is over; `only` is the one access token that is, else the whole grant. */
  deaths() {
    const access = new Set(this.events.flatMap(({ gave }) => gave?.access ?? []));
    return this.events
      .filter(({ op, outcome }) => (op === "revoke" ? outcome === "yes" : outcome === "no"))
      .filter(({ op }) => op !== "authorize")
      .map((event) => ({ ...event, only: access.has(event.token) ? event.token : undefined }));
  }

  lastLifeBefore(death) {
    return this.lives().filter((life) => life.start < death.end).at(-1);
  }

  /** Whether something was asked that ends the grant or the token, early enough to be the reason. */
  hasCause(death) {
    const before = this.events.filter((event) => event.start < death.end);
    return (
      before.some(({ op, token }) => op === "revoke" && (token === death.only || !this.isAccess(token))) ||
      this.isCodeReplay(before) ||
      this.isRefreshReplay(before) ||
      this.hasCodeExpired(death)
    );
  }

  isAccess(token) {
    return this.events.some(({ gave }) => gave?.access === token);
  }

  isCodeReplay(events) {
    return events.filter(({ op }) => op === "redeem").length > 1;
  }

  /** A refresh token is used although its successor was used, or both at once. */
  isRefreshReplay(events) {
    const refreshes = events.filter(({ op }) => op === "refresh");
    return refreshes.some((old) =>
      refreshes.some((next) => next.token === this.successor(old.token) && next.start < old.end),
    );
  }

  hasCodeExpired(death) {
    const [issued] = this.done("authorize");
    return death.op === "redeem" && issued && death.end - issued.start > this.codeSeconds * 1000;
  }
}

function pairs(events, match) {
  return events.flatMap((one, at) => events.slice(at + 1).filter((two) => match(one, two)).map((two) => [one, two]));
}

function groups(list, key) {
  const map = new Map();
  for (const item of list) map.set(key(item), [...(map.get(key(item)) ?? []), item]);
  return map;
}
