// A stream of text as lines.

import type { Readable } from 'node:stream';

/** What is longer is cut into several lines. */
const maxLine = 16 * 1024;

/** Calls `onLine` for each line that arrives, and at the end for what has no line's end. */
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
  stream.on('end', finish);
  stream.on('close', finish);
  // A pipe that breaks has nothing more to say.
  stream.on('error', finish);
}
