// From what stands in files, the environment and the command line to the settings of a site.

import * as v from 'valibot';
import { BadConfigError, suggestion } from '../base/errors.js';
import { hidePassword } from '../base/hide-password.js';
import { schemaProblems } from '../base/schema-problem.js';
import { type AboutSetting, type Settings, settingsSchema } from './settings.js';

/** Unchecked values from one source: a file, the environment or the command line. */
export interface SettingSource {
  /**
   * What messages call a value's location: a file's path, `the command line`, `environment variable LINOD_NAME`.
   */
  location(key: string): string;
  readonly values: Readonly<Record<string, unknown>>;
}

const { entries } = settingsSchema('');

/** All settings, in the order of the documentation. */
export const settingNames = Object.keys(entries) as ReadonlyArray<keyof Settings>;

/** What the documentation and the errors say of a setting. */
export function aboutSetting(name: keyof Settings): AboutSetting {
  return v.getMetadata(entries[name]) as unknown as AboutSetting;
}

/** The environment variables that set a setting, the strongest first. */
export function variablesOf(name: keyof Settings): string[] {
  const { alias, isProgram } = aboutSetting(name);
  if (isProgram) return [];
  const own = `LINOD_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
  return alias === undefined ? [own] : [own, alias];
}

/** The checked value of one setting, or undefined when it is not allowed. */
export function checkSetting<K extends keyof Settings>(
  name: K,
  value: unknown,
  directory: string,
): Settings[K] | undefined {
  const schema: v.GenericSchema = settingsSchema(directory).entries[name];
  const { success, output } = v.safeParse(schema, value);
  return success ? (output as Settings[K]) : undefined;
}

/**
 * Merges sources into complete settings, the first that has a key decides.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for an unknown key, with the nearest known one, or a wrong
 * value
 */
export function resolveSettings(sources: readonly SettingSource[], directory: string): Settings {
  const values: Record<string, unknown> = {};
  const locations: Record<string, string> = {};
  for (const source of sources) {
    for (const [key, value] of Object.entries(source.values)) {
      if (!isSetting(key)) throw new BadConfigError(source.location(key), undefined, unknownSetting(key));
      if (value === undefined || Object.hasOwn(values, key)) continue;
      values[key] = value;
      locations[key] = source.location(key);
    }
  }
  const parsed = v.safeParse(settingsSchema(directory), values, { abortEarly: true });
  if (parsed.success) return Object.freeze(parsed.output);
  const { key, value } = parsed.issues[0].path?.[0] ?? {};
  if (typeof key !== 'string' || !isSetting(key))
    throw new Error('unreachable: each issue is about a setting');
  const { allowed, isSecret, isProgram } = aboutSetting(key);
  const [wrong] = isProgram ? schemaProblems(entries[key], value) : [];
  // An error inside an object is reported alone, because the whole object may be long.
  if (wrong !== undefined && wrong.field !== '')
    throw new BadConfigError(locations[key] ?? 'the default', key, wrong.problem);
  const shown = isSecret ? 'something else, which is not shown' : show(value);
  throw new BadConfigError(locations[key] ?? 'the default', key, `expected ${allowed}, got: ${shown}`);
}

/** The environment as a source: the first variable of each setting that is set and not empty. */
export function environmentSource(environment: NodeJS.ProcessEnv): SettingSource {
  const values: Record<string, unknown> = {};
  const locations: Record<string, string> = {};
  for (const key of settingNames) {
    const name = variablesOf(key).find((candidate) => environment[candidate]);
    const text = name && environment[name];
    if (!text) continue;
    values[key] = aboutSetting(key).read?.(text) ?? text;
    locations[key] = `environment variable ${name}`;
  }
  return { values, location: (key) => locations[key] ?? 'environment' };
}

function isSetting(key: string): key is keyof Settings {
  return Object.hasOwn(entries, key);
}

function unknownSetting(key: string): string {
  const hint = suggestion(key, settingNames) || `; known are ${settingNames.join(', ')}`;
  return `unknown setting ${JSON.stringify(key)}${hint}`;
}

/** A value as an error shows it: JSON, shortened, passwords in URLs hidden. */
function show(value: unknown): string {
  const text = hidePassword(JSON.stringify(value) ?? String(value));
  return typeof value === 'string' || text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
