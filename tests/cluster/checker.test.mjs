// Holds the checker itself to its word: histories with one planted violation each, and histories that look odd and are right.

import { assertEqual } from "../support/report.mjs";
import { violations } from "./checker.mjs";

/** A history from rows of [op, token, outcome, gave, end, start]; the events come one after the other unless timed. */
function history(...rows) {
  let clock = 0;
  return rows.map(([op, token, outcome, gave, times]) => {
    clock = Math.max(clock, times?.[1] ?? clock) + 10;
    const [start, end] = times ?? [clock, clock + 5];
    return { grant: "g", op, token, outcome, gave, start, end };
  });
}

const code = ["authorize", undefined, "yes", { code: "c" }];
const redeemed = ["redeem", "c", "yes", { access: "a1", refresh: "r1" }];
const refreshed = ["refresh", "r1", "yes", { access: "a2", refresh: "r2" }];
const again = ["refresh", "r2", "yes", { access: "a3", refresh: "r3" }];

const RIGHT = {
  "a grant that is used to its end": history(code, redeemed, refreshed, again, ["introspect", "a1", "yes"]),
  "a refresh whose answer was lost, and the same successor": history(
    ...[code, redeemed, ["refresh", "r1", "unknown"], refreshed, ["refresh", "r1", "yes", { access: "a9", refresh: "r2" }]],
  ),
  "a revocation, and everything is over": history(
    ...[code, redeemed, ["revoke", "r1", "yes"], ["introspect", "a1", "no"], ["refresh", "r1", "no"]],
  ),
  "a revoked access token, and the grant goes on": history(
    ...[code, redeemed, ["revoke", "a1", "yes"], ["introspect", "a1", "no"], refreshed, ["introspect", "a2", "yes"]],
  ),
  "a revocation without an answer that was done": history(
    ...[code, redeemed, ["revoke", "r1", "unknown"], ["introspect", "a1", "no"], ["refresh", "r1", "no"]],
  ),
  "a revocation without an answer that was not done": history(
    ...[code, redeemed, ["revoke", "r1", "unknown"], ["introspect", "a1", "yes"], refreshed],
  ),
  "a check that overlaps the revocation": history(
    ...[code, redeemed, ["revoke", "r1", "yes", undefined, [100, 200]], ["introspect", "a1", "yes", undefined, [150, 160]]],
  ),
  "a code that is replayed takes its grant with it": history(
    ...[code, redeemed, ["redeem", "c", "no"], ["introspect", "a1", "no"], ["refresh", "r1", "no"]],
  ),
  "a code whose first answer was lost": history(code, ["redeem", "c", "unknown"], ["redeem", "c", "no"]),
  "a code that has expired": history(code, ["redeem", "c", "no", undefined, [70_000, 70_010]]),
  "a refresh token that is replayed takes its grant with it": history(
    ...[code, redeemed, refreshed, again, ["refresh", "r1", "no"], ["introspect", "a3", "no"]],
  ),
};

const WRONG = {
  "a code was honoured twice": [
    history(code, redeemed, ["redeem", "c", "yes", { access: "a8", refresh: "r8" }]),
    history(code, redeemed, ["redeem", "c", "yes", { access: "a1", refresh: "r1" }, [15, 30]]),
  ],
  "a refresh token got two successors": [
    history(code, redeemed, refreshed, ["refresh", "r1", "yes", { access: "a8", refresh: "r8" }]),
  ],
  "a refresh token was honoured after its successor": [
    history(code, redeemed, refreshed, again, ["refresh", "r1", "yes", { access: "a8", refresh: "r2" }]),
  ],
  "what was revoked came back": [
    history(code, redeemed, ["revoke", "r1", "yes"], ["introspect", "a1", "yes"]),
    history(code, redeemed, ["revoke", "r1", "yes"], refreshed),
    history(code, redeemed, ["revoke", "a1", "yes"], ["introspect", "a1", "yes"]),
    history(code, redeemed, ["revoke", "r1", "unknown"], ["introspect", "a1", "no"], ["introspect", "a1", "yes"]),
    history(code, redeemed, refreshed, again, ["refresh", "r1", "no"], ["refresh", "r3", "yes", { access: "a4", refresh: "r4" }]),
  ],
  "what was acknowledged was lost": [
    history(code, ["redeem", "c", "no"]),
    history(code, redeemed, ["introspect", "a1", "no"]),
    history(code, redeemed, refreshed, ["refresh", "r2", "no"]),
    history(code, redeemed, ["revoke", "a1", "yes"], ["refresh", "r1", "no"]),
    history(code, redeemed, refreshed, ["revoke", "a1", "yes"], ["introspect", "a2", "no"]),
    history(code, redeemed, ["introspect", "a1", "no"], ["revoke", "r1", "yes", undefined, [200, 210]]),
  ],
  "two grants got the same token": [
    [...history(code, redeemed), ...history(["redeem", "d", "yes", { access: "a1" }]).map((event) => ({ ...event, grant: "h" }))],
  ],
};

const rules = (events) => [...new Set(violations(events).map(({ rule }) => rule))].join();

export async function checkerTests(report) {
  for (const [name, events] of Object.entries(RIGHT)) {
    await report.check(`checker: ${name}`, () => assertEqual(rules(events), "", "violations"));
  }
  for (const [rule, planted] of Object.entries(WRONG)) {
    for (const [number, events] of planted.entries()) {
      await report.check(`checker finds: ${rule} (${number + 1})`, () => {
        const found = rules(events);
        if (!found.split(",").includes(rule)) assertEqual(found, rule, "violations");
      });
    }
  }
}
