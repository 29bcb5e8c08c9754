import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { findLogParts } from '../../../../src/log/read/files.js';
import { verifyLog } from '../../../../src/log/read/verify.js';
import { testDirectory } from '../../../support/directory.js';
import { cases, Random } from '../../../support/random.js';
import { recordsIn, writeRealLog } from '../../../support/real-log.js';

const random = new Random();

/** A way to damage the bytes of a file. */
type Damage = (bytes: Buffer) => Buffer;

const flips: Damage = (bytes) => {
  const damaged = Buffer.from(bytes);
  for (let n = random.whole(1, 8); n > 0 && damaged.length > 0; n--) {
    const at = random.whole(0, damaged.length - 1);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.whole(0, 7));
  }
  return damaged;
};

const cut: Damage = (bytes) => {
  const at = random.whole(0, bytes.length);
  return random.chance(0.5) ? bytes.subarray(0, at) : bytes.subarray(at);
};

const splice: Damage = (bytes) => {
  const [from, to, at] = [0, 0, 0].map(() => random.whole(0, bytes.length));
  const copy = bytes.subarray(Math.min(from ?? 0, to ?? 0), Math.max(from ?? 0, to ?? 0));
  const parts = [bytes.subarray(0, at), copy, bytes.subarray(at)];
  return Buffer.concat(random.chance(0.5) ? parts : [...parts, ...parts]);
};

const hole: Damage = (bytes) => {
  const from = random.whole(0, bytes.length);
  const to = random.whole(from, bytes.length);
  if (random.chance(0.5)) return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  return Buffer.concat([bytes.subarray(0, from), Buffer.alloc(to - from), bytes.subarray(to)]);
};

const noise: Damage = (bytes) => {
  const some = Buffer.from(Array.from({ length: random.whole(1, 3000) }, () => random.whole(0, 255)));
  const at = random.whole(0, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), some, bytes.subarray(at)]);
};

const shuffle: Damage = (bytes) => {
  const records = recordsIn(bytes.toString('latin1'));
  for (let n = random.whole(1, 20); n > 0; n--) {
    const [from, to] = [random.whole(0, records.length - 1), random.whole(0, records.length - 1)];
    records.splice(to, 0, ...records.splice(from, random.whole(0, 3)));
  }
  return Buffer.from(records.join(''), 'latin1');
};

const numbers: Damage = (bytes) =>
  Buffer.from(
    bytes
      .toString('latin1')
      .replace(/#\d+ /g, (number) => (random.chance(0.05) ? `#${random.whole(1, 2 ** 50)} ` : number)),
    'latin1',
  );

const damages = { flips, cut, splice, hole, noise, shuffle, numbers };

t.test(`no damage makes verify fail or lose count (SEED=${random.seed})`, async (t) => {
  const log = await writeRealLog(testDirectory(t));
  const files = [log.packed, log.rotated, log.current];
  const whole = new Map(files.map((path) => [path, readFileSync(path)]));
  for (let round = 0; round < cases(40); round++) {
    for (const [path, bytes] of whole) writeFileSync(path, bytes);
    const applied: string[] = [];
    for (let n = random.whole(1, 3); n > 0; n--) {
      const path = random.pick(files);
      const name = random.pick(Object.keys(damages) as Array<keyof typeof damages>);
      const isInside = path === log.packed && random.chance(0.5);
      const bytes = readFileSync(path);
      applied.push(`${name} ${isInside ? 'inside ' : ''}${path}`);
      writeFileSync(path, isInside ? damagedInside(bytes, damages[name]) : damages[name](bytes));
    }
    const what = `round ${round}: ${applied.join(', ')}`;
    const report = await verifyLog(await findLogParts(log.current, 'UTC'));
    for (const { sender, first, last, records, missing, doubled, lost } of report.senders) {
      const accounted = records - doubled + missing + lost;
      if (accounted !== last - first + 1) t.fail(`${what}: ${sender}: ${JSON.stringify(report.senders)}`);
    }
    const sum = report.senders.reduce((total, { records }) => total + records, 0);
    if (sum !== report.records) t.fail(`${what}: records of senders are not all records`);
    if (report.isSound !== (report.faults.length === 0)) t.fail(`${what}: sound with faults`);
  }
  t.pass('all damaged logs were read');
});

/** Damages what is packed; a file that cannot be unpacked any more is left as it is. */
function damagedInside(packed: Buffer, damage: Damage): Buffer {
  try {
    return gzipSync(damage(gunzipSync(packed)));
  } catch {
    return packed;
  }
}

t.test(
  `lines and records of any length are read, also across the chunks in which files are read (SEED=${random.seed})`,
  async (t) => {
    const log = await writeRealLog(testDirectory(t));
    const bytes = readFileSync(log.current);
    const long = Buffer.alloc(3 * 1024 ** 2, 'x');
    const filler = Buffer.alloc(1024 ** 2 - 300, 'a line that is none of ours\n');
    writeFileSync(
      log.current,
      Buffer.concat([bytes, long, Buffer.from('\n'), filler, bytes.subarray(bytes.length - 400)]),
    );
    const report = await verifyLog(await findLogParts(log.current, 'UTC'));
    const lines = readFileSync(log.current).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
    t.equal(report.files.at(-1)?.lines, lines);
    t.ok(report.faults.some(({ kind, file }) => kind === 'foreign' && file === log.current));
    t.ok(report.faults.some(({ kind }) => kind === 'doubled'));
  },
);
