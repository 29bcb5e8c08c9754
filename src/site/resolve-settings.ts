// From what stands in files, the environment and the command line to the settings of a site.

import { BadConfigError, suggestion } from '../errors.js';
import { hidePassword } from './hide-password.js';
import { type SettingDefinition, settingDefinitions, settingNames } from './setting-definitions.js';
import type { Settings } from './settings.js';

/** Values from one place, not yet checked: a file, the environment or the command line. */
export interface SettingSource {
  /** What messages call a value's place: a file's path, `the command line`, `environment variable LINOD_NAME`. */
  place(key: string): string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Merges sources into complete settings, the first that has a key decides.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for an unknown key, with the nearest known one, or a wrong value
 */
export function resolveSettings(sources: readonly SettingSource[], directory: string): Settings {
  for (const source of sources) refuseUnknownKeys(source);
  const resolve = <K extends keyof Settings>(key: K): Settings[K] => {
    const definition: SettingDefinition<Settings[K]> = settingDefinitions[key];
    const source = sources.find((candidate) => candidate.values[key] !== undefined);
    if (source === undefined)
      return checked(definition, key, definition.default({ directory }), 'the default');
    return checked(definition, key, source.values[key], source.place(key));
  };
  const checked = <T>(definition: SettingDefinition<T>, key: string, found: unknown, place: string): T => {
    const value = definition.check(found, directory);
    if (value !== undefined) return value;
    const shown = definition.isSecret ? 'something else, which is not shown' : show(found);
    throw new BadConfigError(place, key, `expected ${definition.allowed}, got: ${shown}`);
  };
  return Object.freeze(
    Object.fromEntries(settingNames.map((key) => [key, resolve(key)])),
  ) as unknown as Settings;
}

/** The environment as a source: the first variable of each setting that is set and not empty. */
export function environmentSource(environment: NodeJS.ProcessEnv): SettingSource {
  const values: Record<string, unknown> = {};
  const places: Record<string, string> = {};
  for (const key of settingNames) {
    const { environment: names, parse } = settingDefinitions[key];
    const name = names.find(
      (candidate) => environment[candidate] !== undefined && environment[candidate] !== '',
    );
    const text = name === undefined ? undefined : environment[name];
    if (name === undefined || text === undefined || parse === undefined) continue;
    values[key] = parse(text) ?? text;
    places[key] = `environment variable ${name}`;
  }
  return { values, place: (key) => places[key] ?? 'environment' };
}

function refuseUnknownKeys(source: SettingSource): void {
  for (const key of Object.keys(source.values)) {
    if (Object.hasOwn(settingDefinitions, key)) continue;
    const hint = suggestion(key, settingNames);
    throw new BadConfigError(
      source.place(key),
      undefined,
      `unknown setting ${JSON.stringify(key)}${hint === '' ? `; known are ${settingNames.join(', ')}` : hint}`,
    );
  }
}

/** A value as an error shows it: JSON, shortened, passwords in URLs hidden. */
function show(value: unknown): string {
  const text = hidePassword(JSON.stringify(value) ?? String(value));
  if (typeof value === 'string') return text;
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
