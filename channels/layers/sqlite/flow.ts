// When messages come so fast that it is better not to be woken for each.
//
// A wake-up costs the sender more than its write, and a take costs the receiver the same for one message as for
// twenty, with the file locked meanwhile. So a process into which messages pour, and which sends none itself, stops
// watching the doorbell and looks once a millisecond, until the flow ebbs. One that answers each message is woken at
// once, however fast that goes.

/** From so many messages a millisecond on it is a flow. */
const flowsFrom = 8;
/** Below so many at one look it has ebbed. */
const ebbsBelow = 4;
const lookEveryMs = 1;

export class Flow {
  readonly #look: () => void;
  readonly #onEbb: () => void;
  #taken = 0;
  /** When counting began, in ms of this process's clock, and how often this process had written by then. */
  #since = 0;
  #ownWrites = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param look called every millisecond while messages flow
   * @param onEbb called when they do no more
   */
  constructor(look: () => void, onEbb: () => void) {
    this.#look = look;
    this.#onEbb = onEbb;
  }

  /** Whether it is looked every millisecond, so that nobody needs to be woken. */
  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** So many messages were taken. */
  noteTaken(count: number): void {
    this.#taken += count;
  }

  /**
   * Woken: is it worth that? Begins to look by itself if it is not.
   *
   * @param ownWrites how often this process has put something into the file
   */
  noteWoken(ownWrites: number): void {
    const now = performance.now();
    const elapsedMs = now - this.#since;
    if (elapsedMs < lookEveryMs) return;
    const flows = this.#taken >= flowsFrom * elapsedMs && ownWrites === this.#ownWrites;
    this.#since = now;
    this.#ownWrites = ownWrites;
    this.#taken = 0;
    if (flows) this.#schedule();
  }

  /** Ends it without a call. Safe to call twice. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#tick(), lookEveryMs);
    // Who waits keeps the process alive by other means.
    this.#timer.unref();
  }

  #tick(): void {
    this.#taken = 0;
    this.#look();
    if (this.#taken >= ebbsBelow) this.#schedule();
    else {
      this.stop();
      this.#onEbb();
    }
  }
}
