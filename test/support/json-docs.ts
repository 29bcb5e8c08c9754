// What docs/reference/json.md says that commands print, compared with what they print.

import { readFileSync } from 'node:fs';

/** What users, procedures or other programs put there. */
const free = new Set(['message', 'args', 'checkpoint', 'levels', 'fields', 'before', 'after']);
/** A record of the log has them where it was given some. */
const optional = new Set(['fields']);
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** The documented output of each command, by its words. */
export function documentedJson(): Map<string, unknown> {
  const text = readFileSync(new URL('../../docs/reference/json.md', import.meta.url), 'utf8');
  const sections = text.matchAll(
    /^##+ (?:`([^`]+) --json`|(A \w+))$(?:(?!^#)[\s\S])*?^```json\n([\s\S]*?)^```$/gm,
  );
  const shapes = new Map<string, unknown>();
  const commands = new Map<string, unknown>();
  for (const [, command, shape = '', json = ''] of sections) {
    const value = withShapes(JSON.parse(json), shapes);
    if (command === undefined) shapes.set(shape.toLowerCase(), value);
    else commands.set(command, value);
  }
  return commands;
}

/** Puts in what `"a rule"`, or `"...": "a rule"` in an object, stands for. */
function withShapes(value: unknown, shapes: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') return shapes.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => withShapes(item, shapes));
  if (!isObject(value)) return value;
  const { '...': base, ...own } = value;
  const entries = Object.entries(own).map(([name, inner]) => [name, withShapes(inner, shapes)]);
  return {
    ...(isObject(shapes.get(String(base))) ? Object(shapes.get(String(base))) : {}),
    ...Object.fromEntries(entries),
  };
}

/**
 * Where an output is another than is documented. Null stands for anything, and the first item of a documented list for
 * all items.
 */
export function differences(documented: unknown, real: unknown, path = '$'): string[] {
  if (documented === null || real === null) return [];
  if (Array.isArray(documented) && Array.isArray(real)) {
    const [first] = documented;
    return documented.length === 0
      ? []
      : real.flatMap((item, i) => differences(first, item, `${path}[${i}]`));
  }
  if (isObject(documented) && isObject(real)) {
    const names = new Set([...Object.keys(documented), ...Object.keys(real)]);
    return [...names].flatMap((name) => {
      if (!(name in documented)) return [`${path}.${name} is not documented`];
      if (!(name in real)) return optional.has(name) ? [] : [`${path}.${name} is not there`];
      return free.has(name) ? [] : differences(documented[name], real[name], `${path}.${name}`);
    });
  }
  if (typeof documented !== typeof real || isTime(documented) !== isTime(real))
    return [`${path}: ${JSON.stringify(real)} is documented as ${JSON.stringify(documented)}`];
  return [];
}

/** What no output may have: names that are not in camel case, times as numbers, JSON inside of texts. */
export function badHabits(real: unknown, path = '$'): string[] {
  if (typeof real === 'number') return real > 1e12 ? [`${path}: ${real} is a time as a number`] : [];
  if (typeof real === 'string') return /^\s*[[{]"/.test(real) ? [`${path}: ${real} is JSON in a text`] : [];
  if (Array.isArray(real)) return real.flatMap((item, i) => badHabits(item, `${path}[${i}]`));
  if (!isObject(real)) return [];
  return Object.entries(real).flatMap(([name, value]) => {
    if (free.has(name)) return [];
    const inner = badHabits(value, `${path}.${name}`);
    return /^[a-z][A-Za-z]*$/.test(name) ? inner : [`${path}.${name} is not in camel case`, ...inner];
  });
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && isoTime.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
