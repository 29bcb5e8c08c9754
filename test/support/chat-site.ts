// The site of examples/chat, served by processes of a test.

import { cpSync, rmSync } from 'node:fs';
import type { Test } from 'tap';
import { LiveSite } from './live-site.js';
import type { Program } from './programs.js';

/** A copy of examples/chat. */
export function chatSite(t: Test): LiveSite {
  const site = new LiveSite(t);
  rmSync(site.path('linod.config.json'));
  cpSync(new URL('../../examples/chat', import.meta.url), site.directory, { recursive: true });
  return site;
}

/** Starts `linod serve`, on any free port if none is named. */
export async function startServe(
  site: LiveSite,
  port = 0,
): Promise<{ readonly server: Program; readonly host: string }> {
  const server = site.start('linod', 'serve', '--http', `127.0.0.1:${port}`);
  const line = await server.printed(/serving site \S+ on/);
  return { server, host: /127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '' };
}
