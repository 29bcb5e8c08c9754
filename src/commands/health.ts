// linod health: one line and an exit code, for a monitor.

import { Command } from 'commander';
import { lookAround } from '../actors/tables.js';
import { systemClock } from '../base/clock.js';
import { siteProblems } from '../insight/site-health.js';
import { printable } from '../log/format/unsafe.js';
import { StartOrders } from '../membership/start-orders.js';
import { parseProbeAddress } from '../site/probe-address.js';
import type { Site } from '../site/site.js';
import { openStore } from '../store/store.js';
import { ExitError, exitCodes, requireSite, type SiteFlags, siteOption } from './main.js';
import { print } from './views/output.js';

/** What one source says: nothing wrong, these problems, or that it cannot be asked. */
type Finding = readonly string[] | Error;

/** A worker that does not answer in this time is not ready. */
const answerMs = 5000;

export function healthCommand(): Command {
  return new Command('health')
    .description('say in one line whether the site works, for a monitor')
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
It reads the heartbeats of all workers in the database and, where the setting health is set, asks the worker
of this machine.

Exit codes: 0 ready, 3 not ready, 1 unknown, as the database does not answer.

Example:
  $ linod health || echo "call somebody"`,
    )
    .action(async (flags: SiteFlags) => {
      const site = await requireSite(flags);
      const [heartbeats, probe] = await Promise.all([askDatabase(site), askProbe(site)]);
      const problems = [heartbeats, probe].flatMap((found) => (found instanceof Error ? [] : found));
      if (problems.length > 0) {
        print(printable(`not ready: ${problems.join('; ')}`));
        throw new ExitError(exitCodes.found);
      }
      if (heartbeats instanceof Error) {
        print(printable(`cannot tell: ${heartbeats.message}`));
        throw new ExitError(exitCodes.failed);
      }
      print(`ready: site ${site.name}`);
    });
}

async function askDatabase(site: Site): Promise<Finding> {
  try {
    const store = await openStore(site);
    try {
      const workers = await lookAround({ site, store });
      const now = (await store.time?.()) ?? systemClock.now();
      const ordered = await new StartOrders(store.db, systemClock).list();
      return siteProblems({ site, workers, ordered, now }).map(({ text }) => text);
    } finally {
      await store.close();
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function askProbe({ settings }: Site): Promise<Finding> {
  if (settings.health === '') return [];
  const { host, port } = parseProbeAddress(settings.health);
  // Only the worker knows which port it got.
  if (port === 0) return [];
  const address = `${host === '*' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(answerMs) });
    const text = (await response.text()).trim();
    return response.ok ? [] : [text];
  } catch {
    return [`nothing answers probes on ${address}`];
  }
}
