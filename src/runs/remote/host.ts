// A thread or process that runs procedures, as the worker sees it.

import type { Readable } from 'node:stream';
import { builtModule } from '../../base/built-module.js';
import type { FromRun, ToRun } from './messages.js';

/** What a run needs. */
export interface HostNeeds {
  readonly kind: 'thread' | 'process';
  /** 0: no limit. */
  readonly memoryMb: number;
}

/** Threads and processes behind one shape. */
export interface RunHost {
  readonly needs: HostNeeds;
  /** Receives its messages; null while it is idle. */
  listener: HostListener | null;
  /** Never fails: a host that has ended drops messages, and {@link ended} resolves. */
  post(message: ToRun): void;
  /** Ends it at once, with all its children. */
  kill(): void;
  /** Resolves when it has ended and its last output has been read. */
  readonly ended: Promise<HostEnd>;
  /** Whether it takes no more messages. True shortly before {@link ended} resolves. */
  readonly isOver: boolean;
  /** Whether it keeps this process alive. */
  keep(alive: boolean): void;
}

export interface HostListener {
  onMessage(message: FromRun): void;
  /** A line that was printed, by `console.log` or by a child of the procedure. */
  onPrint(stream: 'stdout' | 'stderr', line: string): void;
}

/** How a thread or process has ended. */
export type HostEnd =
  | { readonly how: 'exit'; readonly code: number }
  | { readonly how: 'signal'; readonly signal: string }
  | { readonly how: 'memory' }
  /** It could not be started, or Node itself failed in its thread. */
  | { readonly how: 'error'; readonly error: unknown };

/** What threads and processes execute. */
export interface RunProgram {
  readonly url: URL;
  /** Options of Node for them; undefined for those of this process. */
  readonly execArgv?: readonly string[];
}

/** The built serve.ts. */
export function ownProgram(): RunProgram {
  return { url: builtModule('src/runs/remote/serve.js') };
}

/** Longer lines are cut. */
const maxLine = 16 * 1024;

/** Calls `onLine` for each line that arrives, and at the end for a rest without a line end. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.trimEnd());
    for (; rest.length > maxLine; rest = rest.slice(maxLine)) onLine(rest.slice(0, maxLine));
  });
  const finish = () => {
    if (rest !== '') onLine(rest.trimEnd());
    rest = '';
  };
  for (const event of ['end', 'close', 'error']) stream.on(event, finish);
}
