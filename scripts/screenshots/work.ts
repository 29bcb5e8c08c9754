// The procedures that the pictures show. They are copied into the site.

import { setTimeout } from 'node:timers/promises';
import { schedule, scheduleDaily, scheduleOften } from 'linod';

scheduleOften({ every: 20, everyUnit: 'minutely', onFailure: 'continue' }, async function sync_stock(ar) {
  ar.info('stock of the warehouses read', { articles: 4711 });
  await setTimeout(400);
  ar.warning('article 17 is below its minimum', { stock: 2, minimum: 5 });
});

scheduleOften(
  { every: 1, everyUnit: 'hourly', onFailure: 'continue', timeoutSeconds: 300 },
  async function import_prices(ar) {
    ar.info('asking the price server', { url: 'https://prices.example.org/today' });
    await setTimeout(300);
    throw new Error('the price server answered 503', {
      cause: new Error('upstream timed out after 30 s'),
    });
  },
);

scheduleDaily(
  { hour: 2, minute: 30, timeoutSeconds: 7200, missingTime: 'skipped' },
  async function send_invoices(ar) {
    for (let done = 380; done <= 1200; done++) {
      ar.progress(done, 1200, 'invoices');
      if (done % 40 === 0) ar.info('invoices sent', { done });
      await setTimeout(2000, undefined, { signal: ar.signal });
    }
  },
);

schedule('every weekday at 18:00', async function close_tills(ar) {
  ar.info('the tills are closed');
});

scheduleDaily({ name: 'old_export', hour: 4 }, async function old_export(ar) {
  ar.info('exported');
});
