// Sockets connect, flood, stall and vanish, while server processes of their site are killed. Whatever happens: a socket
// that stayed got every message of its group, or was told how many it did not get.
//
//     npm run chaos:server        two minutes on each layer, 500 sockets; SEED=… repeats the choices

import t from 'tap';
import { onBothLayers } from '../support/live-site.js';
import { mebibyte } from '../support/load-site.js';
import { Random } from '../support/random.js';
import { ServerChaos } from '../support/server-chaos.js';

const seconds = Number(process.env.SERVER_CHAOS_SECONDS ?? 2);
const isLong = seconds >= 30;
const sockets = Number(process.env.SERVER_CHAOS_SOCKETS ?? (isLong ? 500 : 60));

t.jobs = isLong ? 1 : 2;
onBothLayers('sent is delivered and announced', async (t, layer) => {
  const random = new Random();
  t.comment(`seed ${random.seed}`);
  const chaos = new ServerChaos({ random, seconds, sockets, servers: isLong ? 3 : 2, layer });
  const { done, wrong, memory, descriptors } = await chaos.run(t);
  const sizes = Object.entries(memory).map(([when, bytes]) => `${when} ${Math.round(bytes / mebibyte)} MiB`);
  t.comment(`${JSON.stringify(done)}, memory ${sizes.join(', ')}, ${JSON.stringify(descriptors)}`);
  t.ok((done.stayed ?? 0) > 0 && (done['killed servers'] ?? 0) > 0, 'something happened');
  t.same(wrong, [], 'every socket that stayed can account for each message');
  // A short run is warm-up to its end.
  if (isLong) t.ok(memory.end < memory.warm + 64 * mebibyte, 'memory stays flat');
  t.ok(descriptors.after <= descriptors.before + 10, 'descriptors are closed');
});

t.setTimeout(1_200_000);
