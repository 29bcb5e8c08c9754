// What is known about the shop's data: `linod checkdata` looks whether it is true, and every night does so by itself.

import { registerChecker } from 'linod/procedures';
import type { Meeting, Order, Shop } from './shop.js';

registerChecker<Order>({
  name: 'orders_are_not_overpaid',
  table: 'orders',
  check({ total, paid }) {
    if (paid <= total) return [];
    return [{ message: `${((paid - total) / 100).toFixed(2)} EUR too much was paid`, fixable: true }];
  },
  async fix(order, _problem, ar) {
    const orders = ar.db.withTables<Shop>().updateTable('orders');
    await orders.set({ paid: order.total }).where('id', '=', order.id).execute();
  },
});

registerChecker<Order>({
  name: 'orders_have_customers',
  table: 'orders',
  async check({ customer }, ar) {
    const users = ar.db.withTables<Shop>().selectFrom('users').select('name').where('name', '=', customer);
    return (await users.executeTakeFirst()) === undefined ? [`there is no user "${customer}"`] : [];
  },
});

registerChecker<Meeting>({
  name: 'meetings_have_guests',
  table: 'meetings',
  check: ({ guests }) => (JSON.parse(guests).length === 0 ? ['nobody is invited'] : []),
});
