// How run-time levels get to other machines, whose processes do not see this one's file: over the channel layer. Whoever
// hears of them there writes them down on its own machine, where its neighbours find them.

import * as v from 'valibot';
import type { Received } from '../../../channels/index.js';
import { parserOf } from '../../parse-message.js';
import { type LevelOverride, overridesSchema } from './override.js';

/** Levels that were set at run time, the newest word for each name. */
const logLevelsSchema = v.object({ type: v.literal('log.levels'), levels: overridesSchema });

export type LogLevelsMessage = v.InferOutput<typeof logLevelsSchema>;

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogLevels: (received: Received) => LogLevelsMessage = parserOf(logLevelsSchema);

/** The message that says them. Receipts are for this machine only. */
export function logLevelsMessage(overrides: readonly LevelOverride[]): LogLevelsMessage {
  const levels = overrides.map(({ name, level, at, until, by }) => ({ name, level, at, until, by }));
  return { type: 'log.levels', levels };
}

/** Remembers which senders have been told what, so that each is told once. */
export class ToldSenders {
  readonly #told = new Map<string, number>();

  /** What a sender that has just been heard of is still to be told; undefined for nothing. */
  news(sender: string, overrides: readonly LevelOverride[]): LogLevelsMessage | undefined {
    if (overrides.length === 0) return undefined;
    const latest = Math.max(...overrides.map(({ at }) => at));
    if ((this.#told.get(sender) ?? 0) >= latest) return undefined;
    // Forgetting them costs a message each.
    if (this.#told.size >= 10_000) this.#told.clear();
    this.#told.set(sender, latest);
    return logLevelsMessage(overrides);
  }
}
