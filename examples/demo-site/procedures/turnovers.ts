// What each customer has bought: computed when an order was added, and not at every look at it.

import { registerSummary } from 'linod/procedures';
import type { Shop } from './shop.js';

registerSummary({
  name: 'turnovers',
  async compute(customer, ar) {
    const orders = ar.db.withTables<Shop>().selectFrom('orders').where('customer', '=', customer);
    const { total } = await orders
      .select((eb) => eb.fn.sum<number | null>('total').as('total'))
      .executeTakeFirstOrThrow();
    return total ?? 0;
  },
  async store(customer, total, tx) {
    await tx
      .withTables<Shop>()
      .insertInto('turnovers')
      .values({ customer, total })
      .onConflict((conflict) => conflict.column('customer').doUpdateSet({ total }))
      .execute();
  },
  async *keys(ar) {
    const users = await ar.db.withTables<Shop>().selectFrom('users').select('name').execute();
    for (const { name } of users) yield name;
  },
});
