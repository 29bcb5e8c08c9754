// What happens in a worker's channels, as records for the log.

import t from 'tap';
import { dropLog, logDropped } from '../../../src/daemon/worker-log.js';
import { Logger } from '../../../src/log/logger.js';

t.test('what was sent to a process that has ended expires without a warning', (t) => {
  const told: string[] = [];
  const sink = {
    write: (level: string, _logger: string, message: string) => told.push(`${level} ${message}`),
  };
  const logger = new Logger({ sink, name: 'linod', level: 'DEBUG' });
  logDropped(logger, { channel: 'log.5573!', reason: 'expired' });
  logDropped(logger, { channel: 'linod.fe6d!', reason: 'expired' });
  logDropped(logger, { channel: 'mail', reason: 'expired' });
  logDropped(logger, { channel: 'log.5573!', reason: 'overflow' });
  t.same(told, [
    'DEBUG a message on log.5573! was dropped: expired',
    'DEBUG a message on linod.fe6d! was dropped: expired',
    'WARNING a message on mail was dropped: expired',
    'WARNING a message on log.5573! was dropped: overflow',
  ]);
  t.end();
});

t.test('that a process is full is logged once, whatever else is dropped each time', (t) => {
  const told: string[] = [];
  const sink = { write: (_level: string, _logger: string, message: string) => told.push(message) };
  const logger = new Logger({ sink, name: 'linod', level: 'DEBUG' });
  const onDrop = dropLog(() => logger);
  for (const channel of ['a!', 'b!', 'a!', 'a!']) onDrop({ channel, reason: 'overflow' });
  for (let i = 0; i < 2; i++) onDrop({ channel: 'a!', reason: 'expired' });
  t.same(
    told.map((text) => /on (.*) was dropped: (.*)/.exec(text)?.slice(1).join(' ')),
    ['a! overflow', 'b! overflow', 'a! expired', 'a! expired'],
  );
  t.end();
});
