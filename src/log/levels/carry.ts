// How run-time levels get to other machines, whose processes do not see this one's files: over the channel layer.
//
// Whoever hears of them there writes them down in the log directory of its own machine, where its neighbours find them.

import * as v from 'valibot';
import type { ChannelLayer, Received } from '../../../channels/index.js';
import { parserOf } from '../../parse-message.js';
import { LogLevels } from '../levels.js';
import { checkLoggerName, type LevelOverride } from './override.js';
import { maxOverrides } from './overrides-directory.js';

const instant = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Levels that were set at run time, the newest word for each name. */
export const logLevelsSchema = v.object({
  type: v.literal('log.levels'),
  levels: v.pipe(
    v.array(
      v.object({
        name: v.pipe(v.string(), v.check(isLoggerName, "expected a logger's name")),
        level: v.nullable(v.picklist(Array.from(LogLevels, ({ value }) => value))),
        at: instant,
        until: v.nullable(instant),
        by: v.pipe(v.string(), v.maxLength(200)),
      }),
    ),
    v.maxLength(maxOverrides),
  ),
});

export type LogLevelsMessage = v.InferOutput<typeof logLevelsSchema>;

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogLevels: (received: Received) => LogLevelsMessage = parserOf(logLevelsSchema);

/** The message that tells of them. Receipts are for this machine only. */
export function logLevelsMessage(overrides: readonly LevelOverride[]): LogLevelsMessage {
  const levels = overrides.map(({ name, level, at, until, by }) => ({ name, level, at, until, by }));
  return { type: 'log.levels', levels };
}

/**
 * Tells all that listen now, in these groups.
 *
 * @throws what `groupSend` throws
 */
export async function announceLevels(
  layer: ChannelLayer,
  groups: readonly string[],
  overrides: readonly LevelOverride[],
): Promise<void> {
  for (const group of groups) await layer.groupSend(group, logLevelsMessage(overrides));
}

function isLoggerName(name: string): boolean {
  try {
    return checkLoggerName(name) === name;
  } catch {
    return false;
  }
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
