// An application whose data have something wrong, for what works on them: the files of a site.

/** Registers the tables, two checkers and a summary; `SHOP_ORDERS` says how many orders there are, 20 unless set. */
const shop = `import { registerMigrations } from 'linod';
import { registerChecker, registerSummary } from 'linod/procedures';

const count = Number(process.env.SHOP_ORDERS ?? 20);

registerMigrations({
  owner: 'shop',
  migrations: [
    {
      name: '0001-orders',
      async up(db) {
        await db.schema
          .createTable('orders')
          .addColumn('id', 'integer', (c) => c.primaryKey())
          .addColumn('customer', 'text', (c) => c.notNull())
          .addColumn('total', 'integer', (c) => c.notNull())
          .addColumn('paid', 'integer', (c) => c.notNull())
          .execute();
        await db.schema
          .createTable('turnovers')
          .addColumn('customer', 'text', (c) => c.primaryKey())
          .addColumn('total', 'integer', (c) => c.notNull())
          .execute();
        const rows = Array.from({ length: count }, (_, i) => ({
          id: i + 1,
          customer: 'customer-' + (i % 10),
          total: 10,
          paid: i % 10 === 6 ? 12 : 10,
        }));
        for (let i = 0; i < rows.length; i += 1000) {
          await db.insertInto('orders').values(rows.slice(i, i + 1000)).execute();
        }
      },
    },
  ],
});

registerChecker({
  name: 'orders_are_not_overpaid',
  table: 'orders',
  check: (order) =>
    order.paid > order.total ? [{ message: order.paid - order.total + ' too much', fixable: true }] : [],
  async fix(order, _problem, ar) {
    await ar.db.updateTable('orders').set({ paid: order.total }).where('id', '=', order.id).execute();
  },
});

registerChecker({
  name: 'orders_have_customers',
  table: 'orders',
  check: (order) => (order.customer === '' ? ['has no customer'] : []),
});

registerSummary({
  name: 'turnovers',
  async compute(customer, ar) {
    const { total } = await ar.db
      .selectFrom('orders')
      .select((eb) => eb.fn.sum('total').as('total'))
      .where('customer', '=', customer)
      .executeTakeFirstOrThrow();
    return total ?? 0;
  },
  async store(customer, total, tx) {
    await tx
      .insertInto('turnovers')
      .values({ customer, total })
      .onConflict((c) => c.column('customer').doUpdateSet({ total }))
      .execute();
  },
  keys: () => Array.from({ length: 10 }, (_, i) => 'customer-' + i),
});
`;

export const shopFiles = { 'procedures/shop.js': shop };
