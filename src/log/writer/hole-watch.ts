// Finds records that can no longer arrive: their sender has ended, and no spool holds them.

import type { Clock } from '../../base/clock.js';
import { ownerState } from '../../base/process-owner.js';
import { spooledEpochs } from '../sender/adopter.js';
import type { Inbox, QueueEntry, SenderState } from './inbox.js';

export interface HoleWatchOptions {
  readonly inbox: Inbox;
  readonly clock: Clock;
  /** Where ended processes of this machine may have left records. */
  readonly spoolDirectories: readonly string[];
  /** Called with the entry that reports the records of a hole as lost. */
  readonly onLost: (entry: QueueEntry) => void;
}

const checkEveryMs = 1000;
/** A sender that was silent for this long is given up if its process is dead. */
const silentMs = 10_000;

/**
 * Checks every second while a sender has a hole: numbers that are missing before records that have arrived.
 */
export class HoleWatch {
  readonly #options: HoleWatchOptions;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: HoleWatchOptions) {
    this.#options = options;
  }

  /** Starts checking. Does nothing while it checks already. */
  start(): void {
    if (this.#isStopped) return;
    this.#cancel ??= this.#options.clock.after(checkEveryMs, () => void this.#check());
  }

  /** Safe to call twice. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Never rejects. */
  async #check(): Promise<void> {
    const { inbox, clock, onLost } = this.#options;
    const holes = [...inbox].filter(({ heard, taken }) => heard > taken);
    for (const state of holes) {
      // A clock that was set back must not prolong the silence.
      state.heardAt = Math.min(state.heardAt, clock.now());
      if (await this.#isLost(state)) onLost(inbox.giveUpHole(state, clock.now()));
    }
    this.#cancel = undefined;
    if (holes.length > 0) this.start();
  }

  async #isLost({ heardAt, owner, epoch }: SenderState): Promise<boolean> {
    const { clock, spoolDirectories } = this.#options;
    if (clock.now() - heardAt < silentMs) return false;
    if (owner === undefined || ownerState(owner) !== 'dead') return false;
    return !(await spooledEpochs(spoolDirectories)).has(epoch);
  }
}
