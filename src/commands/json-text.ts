// JSON as a person writes it on the command line.

import { UsageError } from '../errors.js';

/** @throws UsageError (`LINOD_ERR_USAGE`), with the line and column of what is no JSON */
export function parseJson(source: string, text: string): unknown {
  if (text.trim() === '') throw new UsageError(`expected ${source} to be JSON, got: nothing`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${source} is no JSON, ${placeOf(text)}: ${reasonOf(error)}`);
  }
}

/** What V8 says, without the places and excerpts that it adds to some of its sentences. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ in JSON at position \d+.*| in JSON$| of JSON input$|, (\.\.\.)?".*/s, '');
}

/** V8 tells the position of some mistakes only: it is that of the last character of the shortest broken beginning. */
function placeOf(text: string): string {
  if (!isBroken(text)) return 'at its end';
  let [sound, broken] = [0, text.length];
  while (broken - sound > 1) {
    const middle = Math.floor((sound + broken) / 2);
    if (isBroken(text.slice(0, middle))) broken = middle;
    else sound = middle;
  }
  const lines = text.slice(0, broken).split('\n');
  const character = `character ${lines.at(-1)?.length ?? 0}`;
  return text.includes('\n') ? `at line ${lines.length}, ${character}` : `at ${character}`;
}

/** Whether no JSON begins like this. */
function isBroken(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return false;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /at position (\d+)/.exec(message)?.[1];
    if (position !== undefined) return Number(position) < beginning.length;
    return !/end of JSON/.test(message);
  }
}
