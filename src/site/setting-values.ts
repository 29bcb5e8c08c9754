// Values of settings: read from text, and checked.

import { isAbsolute, join } from 'node:path';
import { type LevelName, parseLevel, UnknownLevelError } from '../log/levels.js';

/** How a text is read that says yes or no. */
export const asBoolean = {
  parse: (text: string) =>
    ({ true: true, '1': true, yes: true, false: false, '0': false, no: false })[text.toLowerCase()],
};
/** A text as it stands. */
export const asText = { parse: (text: string) => text };
/** A text that is a number. */
export const asNumber = {
  parse: (text: string) => (text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text)),
};
/** A text with items that are parted by commas. */
export const asList = {
  parse: (text: string) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
};

/** A path, within a directory unless it is absolute. */
export function within(directory: string, path: string): string {
  return isAbsolute(path) ? path : join(directory, path);
}

/** Whether it looks like one; the layer tells what is wrong inside of it. */
export function isRedisUrl(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  // Several hosts in one URL are more than URL knows.
  if (/^rediss?\+(sentinel|cluster):\/\/./.test(value)) return true;
  return /^(rediss?|unix):\/\/./.test(value) && URL.canParse(value);
}

/** Whether it is a time zone that Node knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false; // Intl has no other way to ask
  }
}

/** A level by its name. @throws UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`) */
export function levelOf(value: unknown): LevelName {
  if (typeof value !== 'string') throw new UnknownLevelError(String(value));
  return parseLevel(value).value;
}

/** Whether it is a whole number. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Whether it is an object with keys. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key as base64url without padding; empty for none. */
export function asKey(value: unknown, bytes: number): string | undefined {
  if (value === '') return value;
  if (typeof value !== 'string' || !/^[\w-]+$/.test(value)) return undefined;
  return Buffer.from(value, 'base64url').length === bytes ? value : undefined;
}
