// The kinds of alarms, and the shape of what is found.

interface Kind {
  /** What is wrong, for the documentation. */
  readonly text: string;
  /** How long it has to last before it is an alarm, in ms. */
  readonly holdMs: number;
}

/** What happens once in a while, or ends by itself within a poll, is no incident. */
const brieflyMs = 5000;

/** A restart takes a while. */
export const noWorkerMs = 60_000;

export const kinds = {
  'not-succeeded': { text: 'A rule has not succeeded within its `mustSucceedWithin`.', holdMs: 0 },
  failed: { text: 'A run has failed, after all its attempts.', holdMs: 0 },
  lost: { text: 'The worker of a run died, or stopped before the run ended.', holdMs: 0 },
  'no-worker': { text: 'No worker runs.', holdMs: noWorkerMs },
  'not-started': { text: 'The coroutines were never started.', holdMs: noWorkerMs },
  suspended: { text: 'A worker is suspended.', holdMs: brieflyMs },
  silent: { text: 'A worker sends no heartbeat.', holdMs: brieflyMs },
  deaf: { text: 'A worker does not hear the channel layer.', holdMs: brieflyMs },
  'log-not-written': { text: '`lino.log` is not written.', holdMs: brieflyMs },
  'log-gap': { text: 'Log records were lost. It is well again when an hour has passed.', holdMs: 0 },
  'channel-full': { text: 'A channel of the site is full.', holdMs: brieflyMs },
  'spool-filling': {
    text: 'The spool has half of `logSpoolMegabytes`: from there on, a process drops records.',
    holdMs: 0,
  },
  'disk-filling': { text: 'A disk of the site has less than 200 MiB.', holdMs: 0 },
  'clocks-apart': { text: "A worker's clock differs from the database's by over 2 s.", holdMs: 0 },
} as const satisfies Readonly<Record<string, Kind>>;

export type AlarmKind = keyof typeof kinds;

export const kindNames: readonly AlarmKind[] = Object.keys(kinds).filter(isKind);

export function isKind(name: string): name is AlarmKind {
  return Object.hasOwn(kinds, name);
}

/** These are judged on each machine about itself. Their subjects begin with its name. */
export const localKinds: ReadonlySet<string> = new Set<AlarmKind>(['spool-filling', 'disk-filling']);

/** How often a machine repeats what is wrong with it, and after how long without that it counts as gone. */
export const repeatMs = 60_000;
export const forgottenMs = 10 * repeatMs;

/** Something that is wrong. The same kind and subject are the same incident. */
export interface Finding {
  readonly kind: AlarmKind;
  readonly subject: string;
  readonly text: string;
  readonly rule?: number;
  /** Since when, in ms since 1970, where that is known; default: since it was found. */
  readonly since?: number | null;
  /** Near a limit and not beyond it: an open incident goes on, and none is raised. Otherwise it would come and go. */
  readonly isNear?: boolean;
}

export function keyOf({ kind, subject }: { readonly kind: string; readonly subject: string }): string {
  return `${kind} ${subject}`;
}
