// What a layer's store has to be able to do for the X-ray.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { GroupReport, LayerProcess, Peeked } from '../xray.js';
import type { Counts } from './tally.js';

/** What does not change of a layer object and its process. */
export type ProcessIdentity = Omit<LayerProcess, 'seenAt' | 'receives'>;

/** What a process tells the others now and then. A report that may have arrived is told again as it is. */
export interface Report {
  readonly process: ProcessIdentity;
  /** Counts up. A report with the number of the last one that arrived adds nothing any more. */
  readonly number: number;
  /** What is to be added. */
  readonly counts: ReadonlyArray<readonly [channel: string, counts: Counts]>;
  /** Channels on which somebody waits. */
  readonly receives: readonly string[];
  /** Events for those who ask for a trace, from `EventRing.write`; kept for ten minutes. */
  readonly events?: Uint8Array | undefined;
  /** So many earlier pieces of events stay. */
  readonly keepPieces: number;
  /** Whether the process remembers events that it has not left in the store. */
  readonly holdsEvents: boolean;
  /** The layer object is closed: this is its last report. */
  readonly isLast: boolean;
}

/** What is known of a process from its reports. */
export interface ProcessRecord extends LayerProcess {
  /** Not closed, and seen lately. */
  readonly isAlive: boolean;
  readonly holdsEvents: boolean;
  /** When it last left all its events, in ms since 1970 by the store's clock. */
  readonly leftAt: number;
}

/** What lies on a channel. */
export interface Depth {
  readonly depth: number;
  /** When the first message was sent, in ms since 1970. */
  readonly oldestAt?: number | undefined;
  readonly onLease: number;
  /** How many receive, where the store knows; else it is known from the processes. */
  readonly receivers?: number | undefined;
}

export interface Look {
  /** By message keys. */
  readonly depths: ReadonlyMap<string, Depth>;
  /** By counted names. */
  readonly counts: ReadonlyMap<string, Counts>;
  readonly processes: readonly ProcessRecord[];
}

export interface LeftEvents {
  readonly process: ProcessIdentity;
  readonly pieces: readonly Uint8Array[];
}

/** The X-ray's view of a store. All reject with LayerUnavailableError when it is away. */
export interface XraySource {
  /** Whether other processes see what is reported. */
  readonly isShared: boolean;
  /** Whether messages have ids. */
  readonly hasIds: boolean;
  look(): Promise<Look>;
  /** The messages under a key that wait, or are on lease, at most `max`. */
  peek(key: string, max: number, onLease: boolean): Promise<Peeked[]>;
  groups(group: string | undefined): Promise<GroupReport[]>;
  /** Returns whether somebody has asked for the process's events since it last left them. */
  publish(report: Report): Promise<boolean>;
  /** Asks all processes for their events. The result tells which of them have not left them since. */
  askForEvents(): Promise<() => Promise<readonly ProcessRecord[]>>;
  /** The events that all processes have left. */
  leftEvents(): Promise<readonly LeftEvents[]>;
}

/** Processes that were not seen for so long count as dead: two and a half times what an idle one takes. */
export const aliveForMs = 25_000;
/** How long events are kept. */
export const eventsKeptMs = 600_000;
/** How long counts are kept of a channel that is not used. */
export const countsKeptMs = 86_400_000;

/** Whether a process may know more than it has left since it was asked. */
export function owesEvents({ isAlive, holdsEvents, leftAt }: ProcessRecord, askedAt: number): boolean {
  return isAlive && holdsEvents && leftAt <= askedAt;
}

/** @param startedAt milliseconds since 1970 */
export function identifyProcess(startedAt: number): ProcessIdentity {
  const id = randomBytes(8).toString('hex');
  const name = basename(process.argv[1] ?? process.title);
  return { id, name, pid: process.pid, host: hostname(), startedAt };
}
