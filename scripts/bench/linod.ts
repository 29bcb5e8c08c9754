// linod as its users have it: the built package, and sites with a worker in a process of its own.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SiteConfig } from '../../src/index.js';
import { Program } from './program.js';

const dist = (path: string) => new URL(`../../dist/${path}`, import.meta.url);

/** The built `linod`, `linod/channels`, `linod/server` and `linod/log`, with the types of their sources. */
export const linod: typeof import('../../src/index.js') = await import(dist('src/index.js').href);
export const channels: typeof import('../../channels/index.js') = await import(
  dist('channels/index.js').href
);
export const server: typeof import('../../channels/server/index.js') = await import(
  dist('channels/server/index.js').href
);
export const log: typeof import('../../src/log/index.js') = await import(dist('src/log/index.js').href);

/** The path of a built program: `runworker`, `linod`. */
export const program = (name: string) => fileURLToPath(dist(`scripts/${name}.js`));

export type Site = Awaited<ReturnType<typeof linod.loadSite>>;

/** Makes a site in a directory. @param procedures code of a file in `procedures/` */
export async function makeSite(
  directory: string,
  settings: SiteConfig = {},
  procedures?: { readonly file: string; readonly code: string },
): Promise<Site> {
  await mkdir(join(directory, 'procedures'), { recursive: true });
  const config: SiteConfig = { name: 'bench', shippedProcedures: false, timezone: 'UTC', ...settings };
  await writeFile(join(directory, 'linod.config.json'), JSON.stringify(config));
  if (procedures !== undefined)
    await writeFile(join(directory, 'procedures', procedures.file), procedures.code);
  return await linod.loadSite(directory, { environment: {} });
}

/** Starts a site's worker with the task coroutine and the logger coroutine, and waits until it listens. */
export async function startWorker(site: Site, ...flags: readonly string[]): Promise<Program> {
  return await Program.start({
    name: 'linod',
    command: process.execPath,
    args: [program('runworker'), site.channel, '--initiate', ...flags],
    directory: site.directory,
    ready: /is listening/,
  });
}
