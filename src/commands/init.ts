// linod init: makes a site.

import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { LinodError, UsageError } from '../base/errors.js';
import { findConfigFile } from '../site/find.js';
import { aboutSetting, checkSetting } from '../site/resolve-settings.js';
import { jsonOption } from './main.js';
import { print, printJson, say } from './views/output.js';

export function initCommand(): Command {
  return new Command('init')
    .description('make a site: a directory with a configuration, an example procedure and a log directory')
    .argument('<directory>', "the directory; its last part is the site's name")
    .option('--name <name>', "the site's name (default: that of the directory)")
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod init mysite && cd mysite && linod start')
    .action(async (directory: string, flags: { name?: string; json?: boolean }) => {
      const path = resolve(directory);
      const name = flags.name ?? basename(path);
      const files = await makeSite(path, name);
      if (flags.json) {
        printJson({ name, directory: path, files });
        return;
      }
      const shown = shorten(path);
      for (const file of files) print(join(shown, file));
      const around = siteAround(path);
      if (around !== undefined)
        say(`WARNING ${path} lies in the site ${around}; below ${path} commands take the new site`);
      say(`site ${name} is ready; next:`);
      if (path !== process.cwd()) say(`  $ cd ${/^[\w./-]+$/.test(shown) ? shown : JSON.stringify(shown)}`);
      const prefix = programPrefix();
      const worker = `${prefix}runworker linod_${name}`;
      say(`  $ ${`${prefix}linod start`.padEnd(worker.length)}    all in one terminal, or:`);
      say(`  $ ${worker}    in one terminal`);
      say(`  $ ${`${prefix}initiate_linod`.padEnd(worker.length)}    in another`);
    });
}

/** `npx ` unless the installation is global. npm changes PATH for its children, so a child of npm cannot know. */
function programPrefix(): string {
  const { PATH = '', npm_command: npm } = process.env;
  const isFound = PATH.split(delimiter).some((directory) => existsSync(join(directory, 'runworker')));
  return isFound && npm === undefined ? '' : 'npx ';
}

/** The site that contains this directory. */
function siteAround(path: string): string | undefined {
  for (let inner = path, directory = dirname(path); directory !== inner; directory = dirname(inner)) {
    if (findConfigFile(directory) !== undefined) return directory;
    inner = directory;
  }
  return undefined;
}

/** The path relative to the working directory, if it lies below it. */
function shorten(path: string): string {
  const short = relative(process.cwd(), path) || '.';
  return short.startsWith('..') ? path : short;
}

/**
 * Writes the files of a new site. It overwrites nothing.
 *
 * @returns the files, relative to the directory
 * @throws UsageError (`LINOD_ERR_USAGE`) for an invalid name, an existing site, or a
 *   directory that cannot be written
 */
export async function makeSite(directory: string, name: string): Promise<string[]> {
  if (checkSetting('name', name, directory) === undefined) {
    const { allowed } = aboutSetting('name');
    throw new UsageError(
      `expected the site's name to be ${allowed}, got: ${JSON.stringify(name)}; give one with --name`,
    );
  }
  try {
    return await writeSite(directory, filesOf(name));
  } catch (error) {
    if (!(error instanceof Error) || error instanceof LinodError) throw error;
    throw new UsageError(`cannot make a site in ${directory}: ${error.message}`);
  }
}

async function writeSite(directory: string, files: Readonly<Record<string, string>>): Promise<string[]> {
  const taken = Object.keys(files).filter((file) => existsSync(join(directory, file)));
  const hasConfig =
    existsSync(directory) && (await readdir(directory)).some((file) => file.startsWith('linod.config.'));
  if (hasConfig || taken.length > 0) {
    throw new UsageError(
      `${directory} already has ${hasConfig ? 'a linod.config file' : taken.join(', ')}; nothing was written`,
    );
  }
  for (const [file, content] of Object.entries(files)) {
    await makeDirectory(dirname(join(directory, file)));
    await writeFile(join(directory, file), content, { flag: 'wx' });
  }
  await makeDirectory(join(directory, 'log'));
  return [...Object.keys(files), 'log/'];
}

/** Without `recursive`, because Node tries for ever below /proc. */
async function makeDirectory(path: string): Promise<void> {
  if (existsSync(path)) return;
  await makeDirectory(dirname(path));
  await mkdir(path);
}

/** The time zone of this process; UTC when `TZ` names an unknown one. */
function machineZone(): string {
  const zone: unknown = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return checkSetting('timezone', zone ?? 'UTC', '.') ?? 'UTC';
}

function filesOf(name: string): Record<string, string> {
  return {
    'linod.config.ts': `import { defineSite } from 'linod';

// Every setting is described in linod's docs/reference/configuration.md.
export default defineSite({
  name: '${name}',
  timezone: '${machineZone()}',
  // channelLayer: 'redis://localhost:6379',
  // databaseUrl: 'postgres://linod@db.example.org/${name}',
});
`,
    'procedures/hello.ts': `import { type BaseRequest, scheduleOften } from 'linod';

// Runs every minute and says so in log/lino.log. Change it, or remove it.
scheduleOften({ every: 1, everyUnit: 'minutely' }, async function hello(ar: BaseRequest) {
  ar.info(\`hello from \${ar.site.name}\`);
});
`,
    '.gitignore': `log/
linod.sock*
.cache/
*.db
*.db-shm
*.db-wal
*.db-wake
`,
  };
}
