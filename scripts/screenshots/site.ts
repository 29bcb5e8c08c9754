// The site whose console is shown: the demo site, with procedures that fail and take their time, and a past.

import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import webPush from 'web-push';
import { RunJob } from '../../src/actors/run-job.js';
import { MailCatcher } from '../demo-site/mail-catcher.js';
import { PushService } from '../demo-site/push-service.js';
import { DemoSite } from '../demo-site/site.js';
import { writePast } from './past.js';

const procedures = fileURLToPath(new URL('work.ts', import.meta.url));

export interface ShownSite {
  readonly site: DemoSite;
  /** Opens the console once, as admin. */
  readonly link: string;
  close(): Promise<void>;
}

/** Makes the site in a directory that vanishes, and lets it work. */
export async function startShownSite(): Promise<ShownSite> {
  const pushes = await PushService.open();
  let mails: MailCatcher | undefined;
  const site = await DemoSite.make(undefined, async (directory) => {
    mails = await MailCatcher.open(join(directory, 'mails'), () => undefined);
    const { publicKey, privateKey } = webPush.generateVAPIDKeys();
    return {
      LINOD_MAIL_URL: mails.url,
      LINOD_MAIL_FROM: 'Demo shop <shop@example.org>',
      LINOD_VAPID_SUBJECT: 'mailto:shop@example.org',
      LINOD_VAPID_PUBLIC_KEY: publicKey,
      LINOD_VAPID_PRIVATE_KEY: privateKey,
      LINOD_PUSH_TO_PRIVATE_ADDRESSES: 'true',
    };
  });
  const close = async () => {
    await site.close();
    await mails?.close();
    pushes.close();
  };
  try {
    await cp(procedures, join(site.directory, 'procedures/work.ts'));
    await site.subscribe(pushes, ['ann']);
    return { site, link: await work(site), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns the console's link */
async function work(site: DemoSite): Promise<string> {
  // The first worker makes the rules, which get a past when nobody runs them.
  const first = site.start('runworker', 'linod_demo', '--initiate');
  await first.printed(/is listening/);
  await site.run(['close_tills'], AbortSignal.timeout(30_000));
  first.kill('SIGTERM');
  await first.ended();
  await site.withStore(writePast);

  const worker = site.start('runworker', 'linod_demo');
  await worker.printed(/is listening/);
  await site.run(
    ['play_customers', 'play_customers', 'checkdata', 'sync_stock', 'import_prices'],
    AbortSignal.timeout(30_000),
  );
  await site.withStore(async (store, config) => {
    await RunJob.request({ site: config, store, user: 'ann' }, 'send_invoices');
    const layer = await config.openLayer();
    for (const order of [4711, 4712, 4713]) await layer.send('orders', { type: 'order.paid', order });
    await layer.groupAdd('warehouse', 'orders');
    await layer.close();
  });
  const program = site.start('linod', 'console', '--listen', '127.0.0.1:0');
  return await program.printed(/^http.*#token=/);
}
