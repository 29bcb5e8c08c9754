// Plays the customers, so that there is something to see: opens the shop, and then orders something now and then.
// An application does the same where a customer orders: all of it in one transaction, so that nothing is told of an
// order that is not there.

import { type BaseRequest, scheduleOften } from 'linod';
import { chooseWays, markSummaryDirty, notify, queueMail } from 'linod/procedures';
import type { Shop, User } from './shop.js';

const minuteMs = 60_000;
const articles = ['tea', 'coffee', 'milk', 'bread'];

scheduleOften({ every: 20, onFailure: 'continue' }, async function play_customers(ar: BaseRequest) {
  const db = ar.db.withTables<Shop>();
  const users = await db.selectFrom('users').selectAll().orderBy('name').execute();
  if (users.length === 0) return await openShop(ar);
  const { last } = await db
    .selectFrom('orders')
    .select((eb) => eb.fn.max('id').as('last'))
    .executeTakeFirstOrThrow();
  const customer = users[last % users.length];
  if (customer !== undefined) await order(ar, last + 1, customer);
});

async function order(ar: BaseRequest, id: number, { name: customer, email }: User): Promise<void> {
  const article = articles[id % articles.length] ?? 'tea';
  const total = 100 + Math.floor(Math.random() * 900);
  await ar.transaction(async (tx) => {
    const ordered_at = ar.now().getTime();
    await tx
      .withTables<Shop>()
      .insertInto('orders')
      .values({ id, customer, article, total, paid: total, ordered_at })
      .execute();
    await markSummaryDirty(tx, 'turnovers', customer);
    await notify(tx, {
      to: customer,
      subject: `Order ${id} was taken`,
      body: `You get ${article}.`,
      kind: 'order',
      owner: `orders ${id}`,
    });
    // A mail that nobody waits for goes into the customer's daily digest.
    if (email !== null) {
      const text = `${article}: ${(total / 100).toFixed(2)} EUR`;
      await queueMail(tx, { to: email, subject: `Invoice of order ${id}`, text, urgency: 'daily' });
    }
  });
  ar.info(`order ${id}: ${customer} buys ${article}`, { total });
}

/** The first data, with faults for checkdata to find. */
async function openShop(ar: BaseRequest): Promise<void> {
  const now = ar.now().getTime();
  await ar.transaction(async (plain) => {
    const tx = plain.withTables<Shop>();
    await tx
      .insertInto('users')
      .values([
        { name: 'ann', email: 'ann@example.org' },
        { name: 'bob', email: 'bob@example.org' },
        { name: 'eve', email: null },
      ])
      .execute();
    const good = { article: 'tea', total: 350, paid: 350, ordered_at: now };
    await tx
      .insertInto('orders')
      .values([
        { id: 1, customer: 'ann', ...good },
        { id: 2, customer: 'bob', ...good, paid: 530 },
        { id: 3, customer: 'mallory', ...good },
      ])
      .execute();
    await tx
      .insertInto('meetings')
      .values([
        { id: 1, subject: 'Tasting', starts_at: now + 10 * minuteMs, guests: '["ann","bob"]', cancelled: 0 },
        { id: 2, subject: 'Stocktaking', starts_at: now + 20 * minuteMs, guests: '["eve"]', cancelled: 0 },
        { id: 3, subject: 'Board', starts_at: now + 180 * minuteMs, guests: '[]', cancelled: 0 },
        { id: 4, subject: 'Picnic', starts_at: now + 5 * minuteMs, guests: '["ann"]', cancelled: 1 },
      ])
      .execute();
    // Bob wants one mail a day; his browser is told at once.
    await chooseWays(tx, 'bob', 'order', ['digest', 'push']);
    await markSummaryDirty(tx, 'turnovers', ['ann', 'bob', 'eve']);
  });
  ar.info('the shop is open');
}
