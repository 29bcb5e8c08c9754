// linod workers: lists the running workers, and pauses, resumes or drains one.

import type { Command } from 'commander';
import { orderWorker } from '../actors/order-worker.js';
import { Workers } from '../actors/tables.js';
import { type WorkerAction, workerActions } from '../membership/worker-orders.js';
import { localTime } from '../recurrence/time/local-time.js';
import {
  person,
  refuseUnknownCommand,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
  withStore,
} from './main.js';
import { printJson, printList, say } from './views/output.js';
import { workerColumns, workerJson } from './views/tables.js';

export function workersCommand(): Command {
  const command = siteCommand(
    'workers',
    'list the running workers and the state of their listeners',
    'Example:\n  $ linod workers',
  )
    .allowExcessArguments()
    .hook('preAction', (self, action) => {
      if (self === action) refuseUnknownCommand(self);
    })
    .action(list);
  for (const action of workerActions) command.addCommand(orderCommand(action));
  return command;
}

async function list(flags: SiteJsonFlags): Promise<void> {
  const site = await requireSite(flags);
  const workers = await withStore(site, (store) => Workers.rows({ site, store }));
  printList(flags, workers, {
    columns: workerColumns((instant) => localTime(instant, site.settings.timezone), Date.now()),
    json: workerJson,
    none: `no worker is running: runworker ${site.channel}`,
  });
}

const descriptions: Readonly<Record<WorkerAction, string>> = {
  pause: 'let a worker start no more jobs, as TSTP does, on whatever machine it runs',
  resume: 'let a paused worker start jobs again',
  drain: 'let a worker start no more jobs, and stop when its jobs have ended',
};

function orderCommand(action: WorkerAction): Command {
  return siteCommand(
    action,
    descriptions[action],
    `Example:\n  $ linod workers ${action} 'web1[4711]@mb2k3l9x'`,
  )
    .argument('<worker>', 'the id of the worker, as "linod workers" shows it')
    .action(async function (this: Command, worker: string) {
      const flags = this.optsWithGlobals<SiteJsonFlags>();
      const site = await requireSite(flags);
      const text = await withStore(site, (store) =>
        orderWorker({ site, store, user: person() }, worker, action),
      );
      if (flags.json) printJson({ worker, action });
      else say(text);
    });
}
