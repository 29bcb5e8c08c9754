// What a site is: its name, its directory, its settings, and the way to its channel layer.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { ChannelLayer, OpenLayerOptions } from '../../channels/index.js';
import { BadConfigError } from '../base/errors.js';
import { findConfigFile, findSiteDirectory } from './find.js';
import { loadModule } from './load-module.js';
import { environmentSource, resolveSettings, type SettingSource } from './resolve-settings.js';
import type { Settings, SiteConfig } from './settings.js';

export { findSiteDirectory } from './find.js';
export { type ConsoleUser, defineSite, type Settings, type SiteConfig } from './settings.js';

export interface LoadOptions {
  /** Settings from the command line, which are stronger than all others; keyed as the settings are. */
  readonly flags?: SiteConfig;
  /** Where these come from, for errors; default `the command line`. */
  readonly flagsLocation?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Reads the configuration file again although this process did before. */
  readonly anew?: boolean;
}

/** One installation: a directory with a configuration file. */
export class Site {
  readonly directory: string;
  readonly configFile: string;
  readonly settings: Settings;
  /** Whether somebody chose the time zone; else it is UTC. */
  readonly hasZone: boolean;

  constructor(directory: string, configFile: string, settings: Settings, hasZone = true) {
    this.directory = directory;
    this.configFile = configFile;
    this.settings = settings;
    this.hasZone = hasZone;
  }

  get name(): string {
    return this.settings.name;
  }

  /** The channel of control messages, `linod_mysite`. */
  get channel(): string {
    return `linod_${this.name}`;
  }

  /** The channel of log records, apart so that a flood of them delays no control message. */
  get logChannel(): string {
    return `${this.channel}.log`;
  }

  /** The group of the workers' own channels, for what concerns all of them. */
  get workersGroup(): string {
    return `${this.channel}.workers`;
  }

  get logDirectory(): string {
    return this.settings.logDirectory;
  }

  get logFile(): string {
    return join(this.logDirectory, 'lino.log');
  }

  /** Where senders keep records that nobody has taken yet. */
  get spoolDirectory(): string {
    return join(this.logDirectory, 'spool');
  }

  /** A path as a person in the site's directory would write it. */
  shorten(path: string): string {
    const short = relative(this.directory, path);
    return short.startsWith('..') ? path : short;
  }

  /**
   * Opens the site's channel layer; whoever opens it closes it.
   *
   * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a URL that the layer does not understand
   */
  async openLayer(options: OpenLayerOptions = {}): Promise<ChannelLayer> {
    const { channelLayer, layerPrefix, layerKeys, layerSerializer } = this.settings;
    const shared = {
      prefix: layerPrefix,
      symmetricEncryptionKeys: layerKeys,
      serializer: layerSerializer,
    };
    // The layers are a hundred files: what opens none, such as a thread or process of runs, begins sooner
    // without them.
    const { InvalidOptionError, openLayer } = await import('../../channels/index.js');
    try {
      return await openLayer(channelLayer, { ...options, ...shared });
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      throw new BadConfigError('the settings', 'channelLayer', error.message, { cause: error });
    }
  }

  /**
   * Loads the files that register procedures: those that ship, then the site's own. A file that cannot be
   * loaded stops none of the others; what it has registered before its error stays.
   *
   * @returns what is wrong with each file that cannot be loaded
   * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) when there is no such file or directory
   */
  async loadProcedures(): Promise<BadConfigError[]> {
    if (this.settings.shippedProcedures) await loadModule(this.directory, 'linod/procedures');
    const usual = join(this.directory, 'procedures');
    const broken: BadConfigError[] = [];
    for (const file of this.settings.procedures.flatMap((path) => procedureFiles(path, usual))) {
      const problem = await this.#load(file);
      if (problem !== null) broken.push(problem);
    }
    return broken;
  }

  async #load(file: string): Promise<BadConfigError | null> {
    try {
      await loadModule(this.directory, file);
      return null;
    } catch (error) {
      const problem = `cannot be loaded: ${headline(error, this.directory)}`;
      return new BadConfigError(this.shorten(file), undefined, problem, { cause: error });
    }
  }
}

/**
 * Reads a site's configuration.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`), BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export async function loadSite(directory: string, options: LoadOptions = {}): Promise<Site> {
  const found = findSiteDirectory(directory);
  const configFile = findConfigFile(found) ?? '';
  const file = basename(configFile);
  const config = await readConfig(found, configFile, options.anew ?? false);
  const sources: SettingSource[] = [
    { values: options.flags ?? {}, location: () => options.flagsLocation ?? 'the command line' },
    environmentSource(options.environment ?? process.env),
    { values: config, location: () => file },
  ];
  const hasZone = sources.some(({ values }) => values.timezone !== undefined);
  return new Site(found, configFile, resolveSettings(sources, found), hasZone);
}

/** Settings that can be handed to another thread or process: all but those that are functions. */
export type WorkerSettings = Omit<Settings, 'consumers' | 'application' | 'consoleUser'>;

export function workerSettings({ settings }: Site): WorkerSettings {
  const { consumers: _, application: __, consoleUser: ___, ...others } = settings;
  return others;
}

/**
 * A site as its worker has read it, for the worker's threads and processes. The settings are not checked
 * again: for the name of a time zone alone, Node reads its tables of languages, which takes a new process 15
 * ms. A configuration that is a program is evaluated all the same: it has the consumers and `consoleUser`, and
 * may register something.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`), BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export async function siteOfWorker(directory: string, settings: WorkerSettings): Promise<Site> {
  const found = findSiteDirectory(directory);
  const configFile = findConfigFile(found) ?? '';
  const config: SiteConfig = configFile.endsWith('.json') ? {} : await readConfig(found, configFile, false);
  const { consumers = {}, consoleUser = null } = config;
  return new Site(found, configFile, { ...settings, consumers, application: null, consoleUser });
}

async function readConfig(directory: string, path: string, anew: boolean): Promise<Record<string, unknown>> {
  const file = basename(path);
  let config: unknown;
  try {
    config = path.endsWith('.json')
      ? JSON.parse(readFileSync(path, 'utf8'))
      : (await loadModule(directory, path, { anew })).default;
  } catch (error) {
    if (error instanceof BadConfigError) throw error;
    throw new BadConfigError(file, undefined, `cannot be read: ${headline(error, directory)}`, {
      cause: error,
    });
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return { ...config };
  throw new BadConfigError(
    file,
    undefined,
    path.endsWith('.json') ? 'expected a JSON object' : 'expected `export default defineSite({ … })`',
  );
}

/** The files of one entry of `procedures`. A missing directory is an error unless it is the default one. */
function procedureFiles(path: string, optional: string): string[] {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch {
    if (path === optional) return [];
    throw new BadConfigError('procedures', undefined, `no file or directory ${path}`);
  }
  if (!isDirectory) return [path];
  const names = readdirSync(path);
  return names
    .filter((name) => /\.(ts|js|mjs)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => join(path, name));
}

/**
 * A loader's error in one line, with the location: the line of the site's own file that threw, or where a parser
 * stopped, whose message names it already: ` /srv/mysite/linod.config.ts:3:10`.
 */
function headline(error: unknown, directory: string): string {
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : '';
  const text = error instanceof Error ? error.message : String(error);
  const [first = '', second = ''] = text.split('\n').map((line) => line.trim());
  const location = /^\/.*:\d+:\d+$/.test(second) ? second : placeOf(error, directory);
  return `${name}${first}${location === undefined || first.includes(location) ? '' : `, at ${location}`}`;
}

/**
 * The line of the site's own file that threw. Not its column, which is that of what the loader has made of
 * the file.
 */
function placeOf(error: unknown, directory: string): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frames = stack
    .split('\n')
    .flatMap((line) => /^ +at .*?\(?(\/[^()]*:\d+):\d+\)?$/.exec(line)?.[1] ?? []);
  return frames.find((frame) => frame.startsWith(`${directory}/`) && !frame.includes('/node_modules/'));
}
