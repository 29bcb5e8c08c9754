// initiate_linod: sends the start messages to the consumers.

import type { Command } from 'commander';
import { type ChannelLayer, ChannelsError } from '../../../channels/index.js';
import { systemClock } from '../../base/clock.js';
import { hidePassword } from '../../base/hide-password.js';
import { version } from '../../base/version.js';
import { coroutines, StartOrders } from '../../membership/start-orders.js';
import type { Site } from '../../site/site.js';
import {
  ExitError,
  exitCodes,
  person,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
  withStore,
} from '../main.js';
import { print, printJson, say } from '../views/output.js';
import { parseSeconds } from '../views/words.js';

interface InitiateFlags extends SiteJsonFlags {
  readonly timeout: string;
}

export function initiateCommand(): Command {
  return siteCommand(
    'initiate_linod',
    'start the task coroutine and the logger coroutine in the worker of a site',
    `The database keeps the order: a worker that starts later, or restarts, follows it by itself.

Exit codes: 0 both coroutines run, 1 no confirmation of both in time.

Example:
  $ initiate_linod`,
  )
    .option('--timeout <duration>', 'how long to wait for the answer of a worker', '5s')
    .version(version)
    .action(initiate);
}

async function initiate(flags: InitiateFlags): Promise<void> {
  const timeoutMs = parseSeconds('--timeout', flags.timeout, { atMost: 3600 }) * 1000;
  const site = await requireSite(flags);
  const firstOrdered = new Set<unknown>();
  await withStore(site, async (store) => {
    const orders = new StartOrders(store.db, systemClock);
    for (const coroutine of coroutines) {
      if (await orders.add(coroutine, person())) firstOrdered.add(coroutine);
    }
  });
  let away: Error | undefined;
  const layer = await site.openLayer({
    onConnection: ({ error }) => {
      away = error;
    },
  });
  try {
    await startInWorker(site, layer, {
      ...{ timeoutMs, firstOrdered, json: flags.json ?? false },
      whyAway: () => away?.message,
    });
  } finally {
    await layer.close();
  }
}

interface StartOptions {
  readonly timeoutMs: number;
  /** The coroutines that nobody ordered before. */
  readonly firstOrdered: ReadonlySet<unknown>;
  readonly json: boolean;
  /** Undefined while the server of the layer can be reached, and for a layer without a server. */
  readonly whyAway: () => string | undefined;
}

async function startInWorker(
  site: Site,
  layer: ChannelLayer,
  { timeoutMs, firstOrdered, json, whyAway }: StartOptions,
): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const answers: Array<Record<string, unknown>> = [];
  let sent = 0;
  let error: ChannelsError | undefined;
  try {
    const reply = await layer.newChannel();
    for (const type of coroutines) {
      await layer.send(site.channel, { type, by: person(), reply_channel: reply }, { signal: deadline });
      sent++;
    }
    while (answers.length < coroutines.length) {
      const answer = await layer.receive(reply, { signal: deadline });
      // A worker may find the new order in the database before the message. Then this command started it, too.
      const already = answer.already === true && !firstOrdered.has(answer.coroutine);
      answers.push({ ...answer, already });
    }
  } catch (thrown) {
    if (thrown instanceof ChannelsError) error = thrown;
    else if (!deadline.aborted) throw thrown;
  }
  const why = error?.message ?? whatIsMissing(site, answers, sent, timeoutMs, whyAway());
  if (json) printJson(why === null ? { answered: answers } : { answered: answers, error: why });
  else for (const answer of answers) print(answerText(answer));
  if (why === null) return;
  const kept = 'the order is kept: a running worker follows it within 5 s, another when it starts';
  say(`initiate_linod: ${why}; ${kept}: runworker ${site.channel}`);
  throw new ExitError(exitCodes.failed);
}

/** What is missing after the timeout; null for nothing. */
function whatIsMissing(
  { settings }: Site,
  answers: ReadonlyArray<Record<string, unknown>>,
  sent: number,
  timeoutMs: number,
  away: string | undefined,
): string | null {
  const missing = coroutines.filter((type) => answers.every(({ coroutine }) => coroutine !== type));
  if (missing.length === 0) return null;
  const because = away === undefined ? '' : `: ${away}`;
  if (sent < coroutines.length) {
    const name = [settings.channelLayer].flat().map(hidePassword).join(', ');
    return `the channel layer ${name} took no message within ${timeoutMs / 1000} s${because}`;
  }
  const what = missing.length < coroutines.length ? ` about ${missing.join(', ')}` : '';
  return `no worker answered${what} within ${timeoutMs / 1000} s${because}`;
}

function answerText({ coroutine, already, worker }: Record<string, unknown>): string {
  return `${String(coroutine)} ${already ? 'was already running' : 'started'} in worker ${String(worker)}`;
}
