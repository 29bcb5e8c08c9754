// Where the site is: named, in the environment, or the nearest directory upwards that has a configuration
// file.

import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NoSiteError } from '../base/errors.js';
import { missingRight } from '../base/files/file-rights.js';

/** The names that a site's configuration file may have; the first that exists is read. */
export const configFileNames = [
  'linod.config.ts',
  'linod.config.js',
  'linod.config.mjs',
  'linod.config.json',
] as const;

/**
 * The site's directory.
 *
 * @param named a directory that somebody gave; else `LINOD_SITE` is looked at, else the working directory and
 *   those above it
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`)
 */
export function findSiteDirectory(named?: string, environment: NodeJS.ProcessEnv = process.env): string {
  if (named !== undefined) return requireSite(named);
  if (environment.LINOD_SITE) return requireSite(environment.LINOD_SITE, 'environment variable LINOD_SITE: ');
  const start = process.cwd();
  for (let directory = start; ; directory = dirname(directory)) {
    if (findConfigFile(directory) !== undefined) return directory;
    if (directory === dirname(directory)) break;
  }
  throw new NoSiteError(
    `no linod.config.ts, .js, .mjs or .json in ${start} or above it; name the site's directory, for example in LINOD_SITE, or make a site: linod init mysite`,
  );
}

/** The path of the directory's configuration file, if it has one. */
export function findConfigFile(directory: string): string | undefined {
  return configFileNames.map((name) => join(directory, name)).find((path) => isThere(path));
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    const directory = dirname(path);
    const why = missingRight([directory], 'read') || (error instanceof Error ? error.message : String(error));
    throw new NoSiteError(`cannot look for a site in ${directory}: ${why}`);
  }
}

/** @param source what the message begins with */
function requireSite(named: string, source = ''): string {
  const directory = resolve(named);
  if (findConfigFile(directory) === undefined) {
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
      throw new NoSiteError(`${source}no directory ${directory}`);
    throw new NoSiteError(
      `${source}no linod.config.ts, .js, .mjs or .json in ${directory}; make a site: linod init mysite`,
    );
  }
  return directory;
}
