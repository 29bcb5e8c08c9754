// When to do what several callers of one turn of the event loop asked for.

/** After this many runs in a row the timers and sockets get their turn. */
const runsInARow = 64;

/**
 * Runs something once at the end of the present turn of the event loop, however often it is asked for meanwhile.
 * A chain of awaited calls never leaves its turn, so it is made to now and then: SQLite answers at once, and an
 * endless `await layer.send(…)` would otherwise lock out every timer, socket and signal.
 */
export class EndOfTurn {
  readonly #run: () => void;
  #scheduled = false;
  #runs = 0;

  constructor(run: () => void) {
    this.#run = run;
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#runs = (this.#runs + 1) % runsInARow;
    if (this.#runs === 0) setImmediate(this.#now);
    else process.nextTick(this.#now);
  }

  readonly #now = () => {
    this.#scheduled = false;
    this.#run();
  };
}
