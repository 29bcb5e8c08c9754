// Mails from the outbox to a mail server on this machine, beside nodemailer's own pool as the limit; and the digests of
// many users.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTransport } from 'nodemailer';
import { queueMail } from '../../../procedures/index.js';
import { runHere } from '../../../src/commands.js';
import { loadSite, openStore, Procedures, type Site, type Store } from '../../../src/index.js';
import type { Found } from '../shared/results.js';
import type { Context } from './experiments.js';

const connections = 10;
const text = 'The order was paid, and is on its way.\n'.repeat(10);

const size = { mails: 10_000, quickMails: 500 };

/** `mails` a second by nodemailer's pool alone, from memory. */
export async function mailsByPool({ quick }: Context): Promise<Found> {
  return await withSink(async (port) => ({
    mails: await byPool(port, quick ? size.quickMails : size.mails),
  }));
}

/**
 * `mails` a second by `send_pending_emails_often`, each claimed, sent and marked; `digests` a second, each of
 * three mails, made and sent. On the embedded database.
 */
export async function mailsByOutbox({ directory, quick }: Context): Promise<Found> {
  const count = quick ? size.quickMails : size.mails;
  return await withSink(async (port) => {
    const mailUrl = `smtp://127.0.0.1:${port}`;
    const config = { name: 'bench', mailUrl, mailFrom: 'shop@example.org', mailConnections: connections };
    writeFileSync(join(directory, 'linod.config.json'), JSON.stringify(config));
    const site = await loadSite(directory, { environment: {} });
    const store = await openStore({ url: site.settings.databaseUrl });
    try {
      return await byOutbox(site, store, count);
    } finally {
      await store.close();
    }
  });
}

async function withSink<T>(use: (port: number) => Promise<T>): Promise<T> {
  const sink = fork(fileURLToPath(new URL('./mail/smtp-sink.js', import.meta.url)));
  try {
    const [port] = (await once(sink, 'message')) as [number];
    return await use(port);
  } finally {
    sink.kill();
  }
}

async function byPool(port: number, count: number): Promise<number> {
  const pool = createTransport({
    host: '127.0.0.1',
    port,
    pool: true,
    maxConnections: connections,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  const start = performance.now();
  let next = 0;
  const lane = async () => {
    while (next++ < count) {
      await pool.sendMail({ from: 'shop@example.org', to: 'ann@example.org', subject: 'Paid', text });
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  pool.close();
  return perSecond(count, start);
}

async function byOutbox(site: Site, store: Store, count: number): Promise<Found> {
  await queue(store, count, () => ({ to: 'ann@example.org' }));
  let start = performance.now();
  await run(site, store, 'send_pending_emails_often');
  const mails = perSecond(count, start);
  await queue(store, 3 * count, (i) => ({ to: `user${i % count}@example.org`, urgency: 'daily' as const }));
  start = performance.now();
  await run(site, store, 'send_pending_emails_daily');
  const digests = perSecond(count, start);
  const { sent } = await store.db
    .withTables<{ outbox_mails: { status: string } }>()
    .selectFrom('outbox_mails')
    .select((eb) => eb.fn.countAll<number>().as('sent'))
    .where('status', '=', 'sent')
    .executeTakeFirstOrThrow();
  if (sent !== 2 * count) throw new Error(`expected ${2 * count} mails to be sent, found ${sent}`);
  return { mails, digests };
}

async function queue(
  { db }: Store,
  count: number,
  particulars: (i: number) => { to: string; urgency?: 'daily' },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (let i = 0; i < count; i++) await queueMail(tx, { subject: 'Paid', text, ...particulars(i) });
  });
}

async function run(site: Site, store: Store, name: string): Promise<void> {
  const procedure = [...Procedures].find((candidate) => candidate.name === name);
  if (procedure === undefined) throw new Error(`there is no procedure ${name}`);
  await runHere({ site, store }, async (ar) => await procedure.run(ar), { level: 'WARNING' });
}

function perSecond(count: number, start: number): number {
  return Math.round((count * 1000) / (performance.now() - start));
}
