// A process of a site, for tests of the log: its worker's logger coroutine, or a program that logs.
//
//     log-child.ts worker DIR                     says `ready`, and works until it is killed
//     log-child.ts program DIR NAME COUNT ENDING  logs COUNT records, then ends in one of the ways below

import { systemClock } from '../../src/clock.js';
import { createLogger } from '../../src/log/index.js';
import { LayerTransport } from '../../src/log/layer-transport.js';
import { LocalTransport } from '../../src/log/local-transport.js';
import { LoggerCoroutine } from '../../src/log/logger-coroutine.js';
import { parseLogRequest } from '../../src/log/messages.js';
import { KyselyPositionStore } from '../../src/log/positions.js';
import { LogSender } from '../../src/log/sender.js';
import { loadSite } from '../../src/site.js';

const [role, directory = '', name = '', count = '0', ending = ''] = process.argv.slice(2);
if (role === 'worker') await work();
else await run();

async function work(): Promise<void> {
  const site = await loadSite(directory);
  const layer = await site.openLayer();
  const store = await site.openStore();
  const { logChannel: channel, logFile: path, spoolDirectory } = site;
  const { timezone } = site.settings;
  const elsewhere = new LayerTransport({
    open: async () => layer,
    ownsLayer: false,
    channel,
    clock: systemClock,
  });
  const local = new LocalTransport(elsewhere);
  const sender = new LogSender({
    name: 'worker',
    transport: local,
    spoolDirectory,
    timezone,
    clock: systemClock,
  });
  const positions = new KyselyPositionStore(store.db);
  const coroutine = new LoggerCoroutine({
    layer,
    channel,
    path,
    positions,
    clock: systemClock,
    timezone,
    sender,
    local,
  });
  await coroutine.start();
  process.stdout.write('ready\n');
  for (;;) coroutine.accept(parseLogRequest(await layer.receive(channel)));
}

async function run(): Promise<void> {
  const logger = createLogger({ site: directory, name });
  const total = Number(count);
  for (let n = 1; n <= total; n++) {
    logger.info(`${name} ${n}${n % 10 === 0 ? '\nof two lines' : ''}`);
    // A program lives while it logs; this is no wait for anything.
    if (ending === 'close' && n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  switch (ending) {
    case 'close':
      await logger.close();
      break;
    case 'exit':
      process.exit(0);
      break;
    case 'throw':
      throw new Error('on purpose');
    case 'linger':
      // Until the test kills it. What it logged is older than the 50 ms that may be lost.
      setTimeout(() => process.stdout.write('logged\n'), 1000);
      setInterval(() => {}, 1000);
      break;
    case 'term':
      setInterval(() => {}, 1000);
      process.stdout.write('logged\n');
      break;
    case 'end':
      break;
    default:
      throw new RangeError(`no such ending: ${ending}`);
  }
}
