// The time of a layer on Redis: the server's, since the clocks of machines may differ by more than a message lives.

/**
 * Scripts ask the server for the time, so that all processes date and expire messages by one clock. What is decided here, such
 * as the age of a message that a blocked read brought, goes by what the server last said.
 */
export class ServerClock {
  readonly #given: (() => number) | undefined;
  #told: { readonly serverMs: number; readonly at: number } | undefined;

  /** @param given a clock that counts in place of the server's, for tests */
  constructor(given: (() => number) | undefined) {
    this.#given = given;
  }

  /** Milliseconds since 1970; by this machine's clock until the server has told its time. */
  readonly now = (): number => {
    if (this.#given !== undefined) return this.#given();
    if (this.#told === undefined) return Date.now();
    // A clock of this machine that is set anew changes nothing.
    return this.#told.serverMs + performance.now() - this.#told.at;
  };

  /** What a script is given as the time, in seconds; empty text for the server's own. */
  get argument(): number | '' {
    return this.#given === undefined ? '' : this.#given() / 1000;
  }

  /** A reply said what time it is there. */
  learn(serverMs: number): void {
    this.#told = { serverMs, at: performance.now() };
  }
}

/** For scripts: the time in seconds, from {@link ServerClock.argument}. */
export const timeOf = `
  local function timeOf(given)
    if given ~= '' then return tonumber(given) end
    local time = redis.call('TIME')
    return time[1] + time[2] / 1000000
  end`;
