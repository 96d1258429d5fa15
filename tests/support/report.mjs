// One line a check, `ok ...` or `not ok ...`, and a last line `N passed, M failed`.

export class Report {
  #passed = 0;
  #failed = 0;

  constructor(prefix = "") {
    this.prefix = prefix;
  }

  /** Runs one check; a check that throws has failed. Answers what it returns, or undefined. */
  async check(name, body) {
    try {
      const value = await body();
      this.#passed += 1;
      console.log(`ok ${this.prefix}${name}`);
      return value;
    } catch (error) {
      this.#failed += 1;
      console.log(`not ok ${this.prefix}${name}`);
      console.log(explain(error));
      return undefined;
    }
  }

  /** Runs several checks that share a page; counts only if it breaks between them. */
  async together(name, body) {
    try {
      await body();
    } catch (error) {
      await this.check(name, () => Promise.reject(error));
    }
  }

  /** Ends the program's part of the output; answers the exit code. */
  finish() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }

  add(passed, failed) {
    this.#passed += passed;
    this.#failed += failed;
  }
}

/** The message with its causes and what the server answered, indented. */
function explain(error) {
  const lines = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    lines.push(current.stack?.split("\n").slice(0, 4).join("\n") ?? String(current));
    for (const key of ["error", "error_description", "status", "code"]) {
      if (current[key] !== undefined) lines.push(`${key}: ${current[key]}`);
    }
  }
  if (lines.length === 0) lines.push(String(error));
  return lines.join("\n").replace(/^/gm, "    ");
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function assertEqual(actual, expected, what) {
  assert(
    actual === expected,
    `${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`,
  );
}
