// initiate_linod: sends the consumers their start messages.

import { Command } from 'commander';
import type { ChannelLayer } from '../../channels/index.js';
import { ChannelsError } from '../../channels/index.js';
import { coroutines, StartOrders } from '../membership/start-orders.js';
import type { Site } from '../site.js';
import { version } from '../version.js';
import {
  ExitError,
  exitCodes,
  jsonOption,
  person,
  requireSite,
  type SiteFlags,
  siteOption,
  withStore,
} from './main.js';
import { parseSeconds } from './numbers.js';
import { print, printJson, say } from './output.js';

interface InitiateFlags extends Omit<SiteFlags, 'site'> {
  readonly site?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function initiateCommand(): Command {
  return new Command('initiate_linod')
    .description('starts the task coroutine and the logger coroutine in the worker of a site')
    .addOption(siteOption())
    .option('--timeout <seconds>', 'how long to wait for the answer of a worker', '5')
    .addOption(jsonOption())
    .version(version)
    .addHelpText(
      'after',
      '\nThe order is kept in the database: a worker that starts later, or again, follows it by itself.\n\nExample:\n  $ initiate_linod',
    )
    .action(initiate);
}

async function initiate(flags: InitiateFlags): Promise<void> {
  const timeoutMs = parseSeconds('--timeout', flags.timeout, { atMost: 3600 }) * 1000;
  const site = await requireSite(flags);
  await withStore(site, async (store) => {
    const { systemClock } = await import('../clock.js');
    const orders = new StartOrders(store.db, systemClock);
    for (const message of coroutines) await orders.add(message, person());
  });
  const layer = await site.openLayer();
  try {
    await askWorker(site, layer, timeoutMs, flags.json ?? false);
  } finally {
    await layer.close();
  }
}

async function askWorker(site: Site, layer: ChannelLayer, timeoutMs: number, json: boolean): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const answers: Array<Record<string, unknown>> = [];
  try {
    const reply = await layer.newChannel();
    for (const type of coroutines) {
      await layer.send(site.channel, { type, by: person(), reply_channel: reply }, { signal: deadline });
    }
    while (answers.length < coroutines.length) {
      answers.push(await layer.receive(reply, { signal: deadline }));
    }
  } catch (error) {
    if (!deadline.aborted && !(error instanceof ChannelsError)) throw error;
    const why =
      error instanceof ChannelsError ? error.message : `no worker answered within ${timeoutMs / 1000} s`;
    if (json) printJson({ answered: answers, error: why });
    say(
      `initiate_linod: ${why}; the order is kept and followed when a worker starts: runworker ${site.channel}`,
    );
    throw new ExitError(exitCodes.failed);
  }
  if (json) return printJson({ answered: answers });
  for (const answer of answers) {
    print(
      `${String(answer.coroutine)} ${answer.already ? 'was already running' : 'started'} in worker ${String(answer.worker)}`,
    );
  }
}
