// A process that logs to a syslog server over TCP, one line a record (RFC 6587, non-transparent framing), 64 kB at once. Not
// for people; rsyslog.ts starts it with the port. Each line of standard input is a number of records.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { messageOf, recordsInARow } from './message.js';
import { obey } from './orders.js';

const batchBytes = 64 * 1024;
const [port = ''] = process.argv.slice(2);
const socket = connect(Number(port), '127.0.0.1');
await once(socket, 'connect');
await obey(async (line) => {
  const records = Number(line);
  let batch = '';
  for (let i = 0; i < records; i++) {
    // PRI 14 is facility user, severity INFO (RFC 5424, 6.2.1); the time is made anew for each, as a logger has to.
    batch += `<14>1 ${new Date().toISOString()} host web ${process.pid} - - shop.orders: ${messageOf(i)}\n`;
    if (batch.length >= batchBytes || i === records - 1) {
      const isTaken = socket.write(batch);
      batch = '';
      if (!isTaken) await once(socket, 'drain');
    } else if (i % recordsInARow === 0) await turn();
  }
});
process.exit();
