// The other end of mail-worker.ts.

import { Consumer, openLayer, Worker } from '../../channels/index.js';

type Mail = { readonly type: 'mail.good' } | { readonly type: 'mail.bad' };

class MailConsumer extends Consumer<Mail> {
  mailGood(): void {}

  mailBad(): void {
    throw new Error('a bad one');
  }
}

const worker = new Worker({
  application: Consumer.application(() => new MailConsumer()),
  layer: await openLayer(process.argv.at(-1) ?? ''),
  channels: ['mail'],
  onEvent: ({ type }) => {
    if (type === 'listening') process.send?.('listening');
  },
});
await worker.run(new AbortController().signal);
