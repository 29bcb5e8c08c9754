// A thread or process that runs procedures, as the worker sees it.

import type { FromRun, ToRun, Usage } from './messages.js';

/** How a thread or process has ended. */
export type HostEnd =
  | { readonly how: 'exit'; readonly code: number }
  | { readonly how: 'signal'; readonly signal: string }
  | { readonly how: 'memory' }
  /** It could not be started, or its thread died of an error of Node's own. */
  | { readonly how: 'error'; readonly error: unknown };

export interface HostListener {
  onMessage(message: FromRun): void;
  /** A line that was printed, by `console.log` or by what a procedure has started. */
  onPrint(stream: 'stdout' | 'stderr', line: string): void;
}

/** What a run needs. */
export interface HostNeeds {
  readonly kind: 'thread' | 'process';
  /** 0: no limit. */
  readonly memoryMb: number;
}

/** As it stands in the database, `process 256`. */
export function hostKey({ kind, memoryMb }: HostNeeds): string {
  return `${kind} ${memoryMb}`;
}

/** Reads what {@link hostKey} wrote; null for anything else. */
export function parseHostKey(key: string): HostNeeds | null {
  const [, kind, memoryMb] = /^(thread|process) (\d+)$/.exec(key) ?? [];
  return kind === 'thread' || kind === 'process' ? { kind, memoryMb: Number(memoryMb) } : null;
}

/** Threads and processes behind one shape. */
export interface RunHost {
  readonly kind: HostNeeds['kind'];
  /** Who hears of it now; null while it is idle. */
  listener: HostListener | null;
  /** Never fails: what has ended takes no messages, and says so by {@link ended}. */
  post(message: ToRun): void;
  /** Ends it at once, with all that it has started. */
  kill(): void;
  /** Resolves when it has ended, and what it said last has been heard. */
  readonly ended: Promise<HostEnd>;
  /** Whether it takes no messages any more; true somewhat before {@link ended} resolves. */
  readonly isOver: boolean;
  /** What it is known to have used in the present run, for one that cannot tell it itself any more. */
  usage(): Usage;
  /** Whether it keeps this process alive: while it runs something. */
  keep(alive: boolean): void;
}

export interface HostOptions {
  /** The program that it runs; see program.ts. */
  readonly program: RunProgram;
  /** The site's, which the program is given as its argument. */
  readonly directory: string;
  /** 0: no limit. */
  readonly memoryMb: number;
}

/** What threads and processes run. */
export interface RunProgram {
  readonly url: URL;
  /** Options of Node for them; undefined for those of this process. */
  readonly execArgv?: readonly string[];
}
