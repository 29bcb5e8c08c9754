// The clock of a Redis layer: the server's, since the clocks of machines may differ by more than a message's
// expiry.

/**
 * Scripts ask the server for the time, so that all processes use one clock. Decisions in this process, such
 * as the age of a popped message, use the server's last reported time.
 */
export class ServerClock {
  readonly #given: (() => number) | undefined;
  #reported: { readonly serverMs: number; readonly at: number } | undefined;

  /** @param given a clock that replaces the server's, for tests */
  constructor(given: (() => number) | undefined) {
    this.#given = given;
  }

  /** Milliseconds since 1970, by this machine's clock until the server has reported its time. */
  readonly now = (): number => {
    if (this.#given !== undefined) return this.#given();
    if (this.#reported === undefined) return Date.now();
    // Setting this machine's clock changes nothing.
    return this.#reported.serverMs + performance.now() - this.#reported.at;
  };

  /** The time argument of scripts, in seconds; empty for the server's own time. */
  get argument(): number | '' {
    return this.#given === undefined ? '' : this.#given() / 1000;
  }

  /** Notes the server's time from a reply. */
  learn(serverMs: number): void {
    this.#reported = { serverMs, at: performance.now() };
  }
}

/** For scripts: the time in seconds, from {@link ServerClock.argument}. */
export const timeOf = `
  local function timeOf(given)
    if given ~= '' then return tonumber(given) end
    local time = redis.call('TIME')
    return time[1] + time[2] / 1000000
  end`;
