import { spawnSync } from 'node:child_process';
import t from 'tap';
import { objectOfPickle } from '../../../../src/log/socket/object-record.js';
import type { PickleValue } from '../../../../src/log/socket/pickle.js';
import { readPickle } from '../../../../src/log/socket/pickle.js';
import { cases, Random } from '../../../support/random.js';

/** Has Python evaluate a program that prints base64 of pickles, a line each. */
function python(program: string, ...args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

/** A value as the Python program below tells it: every kind by a letter, whatever the order in a set. */
function told(value: PickleValue): unknown {
  if (value === null) return 'N';
  if (typeof value === 'boolean') return value ? 'T' : 'F';
  if (typeof value === 'bigint') return `i${value}`;
  if (typeof value === 'number') return Number.isInteger(value) ? `i${BigInt(value)}` : `f${bitsOf(value)}`;
  if (typeof value === 'string') return `s${Buffer.from(value, 'utf16le').toString('hex')}`;
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return ['l', ...value.map(told)];
  if (value instanceof Set) return ['S', ...Array.from(value, (item) => JSON.stringify(told(item))).sort()];
  return ['d', ...Array.from(value, ([key, item]) => [told(key), told(item)])];
}

function bitsOf(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

const randomData = `
import base64, json, pickle, random, struct, sys
rnd = random.Random(int(sys.argv[1]))
def text():
    return ''.join(chr(rnd.choice([rnd.randint(0, 127), rnd.randint(0x80, 0xd7ff), rnd.randint(0x10000, 0x10ffff)])) for _ in range(rnd.choice([0, 1, 5, 40, 300])))
def atom(protocol):
    kind = rnd.randint(0, 8)
    if kind == 0: return None
    if kind == 1: return rnd.random() < 0.5
    if kind == 2: return rnd.randint(-300, 300)
    if kind == 3: return rnd.randint(-2**31, 2**32)
    if kind == 4: return rnd.choice([-1, 1]) * rnd.getrandbits(rnd.choice([53, 64, 200, 3000]))
    if kind == 5: return rnd.random() * 10 ** rnd.randint(-300, 300) + 0.5
    if kind == 6 and protocol >= 3: return bytes(rnd.getrandbits(8) for _ in range(rnd.choice([0, 3, 300])))
    if kind == 7 and protocol >= 5: return bytearray(rnd.getrandbits(8) for _ in range(rnd.choice([0, 3])))
    return text()
def value(protocol, depth):
    if depth == 0 or rnd.random() < 0.4: return atom(protocol)
    kind, size = rnd.randint(0, 4), rnd.choice([0, 1, 2, 3, 4, 8])
    items = lambda: [value(protocol, depth - 1) for _ in range(size)]
    if kind == 0: return items()
    if kind == 1: return tuple(items())
    if kind == 2 and protocol >= 4: return rnd.choice([set, frozenset])(text() for _ in range(size))
    shared = items()
    if kind == 3: return [shared, shared, 'x' * 3, shared]
    return {text(): value(protocol, depth - 1) for _ in range(size)}
def told(v):
    if v is None: return 'N'
    if v is True: return 'T'
    if v is False: return 'F'
    if isinstance(v, int): return 'i%d' % v
    if isinstance(v, float): return 'i%d' % v if v == int(v) else 'f' + struct.pack('>d', v).hex()
    if isinstance(v, str): return 's' + v.encode('utf-16-le', 'surrogatepass').hex()
    if isinstance(v, (bytes, bytearray)): return 'b' + bytes(v).hex()
    if isinstance(v, (list, tuple)): return ['l'] + [told(i) for i in v]
    if isinstance(v, (set, frozenset)): return ['S'] + sorted(json.dumps(told(i)) for i in v)
    return ['d'] + [[told(k), told(i)] for k, i in v.items()]
for i in range(int(sys.argv[2])):
    protocol = 1 + i % 5
    v = value(protocol, 5)
    print(base64.b64encode(pickle.dumps(v, protocol)).decode(), json.dumps(told(v), separators=(',', ':')))
`;

t.test('what Python pickles of random plain data is read as it was, in protocols 1 to 5', async (t) => {
  const { seed } = new Random();
  t.comment(`seed ${seed}`);
  for (const line of python(randomData, String(seed), String(cases(60)))) {
    const [pickle = '', expected] = line.split(' ');
    const found = JSON.stringify(told(readPickle(Buffer.from(pickle, 'base64'))));
    if (found !== expected) t.equal(found, expected, pickle);
  }
  t.pass('all pickles were read');
});

t.test('a log record is read as SocketHandler makes it', async (t) => {
  const [pickle = ''] = python(`
import base64, logging, logging.handlers
record = logging.LogRecord('shop.orders', logging.ERROR, 'x.py', 3, 'order %d', (17,), None)
record.customer = {'id': 7, 'tags': ['a', ('b', 2.5)]}
print(base64.b64encode(logging.handlers.SocketHandler('x', 1).makePickle(record)).decode())`);
  const frame = Buffer.from(pickle, 'base64');
  t.equal(frame.readUInt32BE(), frame.length - 4);
  t.match(objectOfPickle(readPickle(frame.subarray(4))), {
    name: 'shop.orders',
    msg: 'order 17',
    levelno: 40,
    created: Number,
    customer: { id: 7, tags: ['a', ['b', 2.5]] },
  });
});

t.test('a text that is no UTF-8 is shown', async (t) => {
  const [pickle = ''] = python(`
import base64, os, pickle
print(base64.b64encode(pickle.dumps({'file': os.fsdecode(b'gr\\xf6')})).decode())`);
  t.same(objectOfPickle(readPickle(Buffer.from(pickle, 'base64'))), { file: 'gr\\xed\\xb3\\xb6' });
});

t.test('whatever names a class or function is refused by name, and nothing is executed', async (t) => {
  const programs = [
    'datetime.datetime(2026, 1, 1)',
    'os.system',
    'Evil()',
    'collections.OrderedDict(a=1)',
    'Old()',
    'type(None)',
    '{"deep": [1, (2, fractions.Fraction(1, 3))]}',
    'complex(1, 2)',
    'range(3)',
    'len',
  ];
  const pickles = python(`
import base64, collections, copyreg, datetime, fractions, os, pickle
class Evil:
    def __reduce__(self): return (os.system, ('touch /tmp/never',))
class Old:
    def __init__(self): self.a = 1
copyreg.add_extension('__main__', 'Old', 77)
for protocol in range(1, 6):
    for value in [${programs.join(', ')}]:
        print(base64.b64encode(pickle.dumps(value, protocol)).decode())`);
  t.equal(pickles.length, 5 * programs.length);
  for (const pickle of pickles) {
    t.throws(() => readPickle(Buffer.from(pickle, 'base64')), { code: 'LINOD_ERR_UNSAFE_PICKLE' });
  }
  for (const [opcode, name] of Object.entries({
    'cos\nsystem\n.': 'GLOBAL os system',
    '(ios\nsystem\n.': 'INST os system',
    'P12\n.': 'PERSID 12',
    '\x93': 'STACK_GLOBAL',
    R: 'REDUCE',
    b: 'BUILD',
    o: 'OBJ',
    '\x81': 'NEWOBJ',
    '\x92': 'NEWOBJ_EX',
    Q: 'BINPERSID',
    '\x82\x01': 'EXT1',
    '\x83\x01\x01': 'EXT2',
    '\x84\x01\x01\x01\x01': 'EXT4',
    '\x97': 'NEXT_BUFFER',
    '\x98': 'READONLY_BUFFER',
  })) {
    t.throws(() => readPickle(Buffer.from(opcode, 'latin1')), {
      code: 'LINOD_ERR_UNSAFE_PICKLE',
      wanted: name,
    });
  }
});

t.test('what is too deep, too much, too large when written out, or holds itself is refused', async (t) => {
  const limit = { code: 'LINOD_ERR_PICKLE_LIMIT' };
  t.throws(() => readPickle(Buffer.alloc(2 ** 20 + 1)), limit);
  t.throws(() => readPickle(Buffer.from(`${']'.repeat(200)}${'a'.repeat(199)}.`)), limit, 'deep');
  t.throws(() => readPickle(Buffer.from(`(${']'.repeat(60_000)}l.`)), limit, 'many');
  t.throws(() => readPickle(Buffer.from('('.repeat(60_000))), limit, 'marks');
  t.throws(() => readPickle(Buffer.from(`N${'r\x01\x00\x00\x00'.repeat(60_000)}.`)), limit, 'memo');
  // Each list holds the one before ten times.
  const laughs = `](NNNNNNNNNNeq\x00${Array.from({ length: 20 }, (_, i) => `0](${`h${String.fromCharCode(i)}`.repeat(10)}eq${String.fromCharCode(i + 1)}`).join('')}.`;
  t.throws(() => readPickle(Buffer.from(laughs, 'latin1')), limit, 'billion laughs');
  const text = `(X\x00\x40\x00\x00${'x'.repeat(2 ** 14)}q\x00${'h\x00'.repeat(1000)}l.`;
  t.throws(() => readPickle(Buffer.from(text, 'latin1')), limit, 'one long text a thousand times');
  t.throws(() => readPickle(Buffer.from(']q\x00h\x00a.', 'latin1')), limit, 'holds itself');
  t.throws(() => readPickle(Buffer.from([0x8b, 0xff, 0xff, 0xff, 0x7f, 1])), {
    code: 'LINOD_ERR_BAD_PICKLE',
  });
  t.throws(() => readPickle(Buffer.from(`L${'9'.repeat(3000)}L\n.`)), { code: 'LINOD_ERR_BAD_PICKLE' });
  for (const broken of [
    '',
    '.',
    'N',
    'NN.',
    'a.',
    'u.',
    '(N}.',
    '}(Nu.',
    ']N.',
    'X\xff\xff\xff\xff.',
    'I1',
    'Ix\n.',
    'F1.5\n.',
    'N.N',
    '\x80\x06N.',
    '\x80\x00N.',
    'h\x05.',
    '\x95\xff\xff\xff\xff\xff\xff\xff\xffN.',
    '\xff',
  ])
    t.throws(
      () => readPickle(Buffer.from(broken, 'latin1')),
      { code: 'LINOD_ERR_BAD_PICKLE' },
      JSON.stringify(broken),
    );
});

t.test(
  'random bytes and damaged pickles are read or refused with a typed error, in bounded time',
  async (t) => {
    const random = new Random();
    t.comment(`seed ${random.seed}`);
    const real = python(randomData, String(random.seed), '100').map((line) =>
      Buffer.from(line.split(' ')[0] ?? '', 'base64'),
    );
    const opcodes = Buffer.from(
      '(.012NIJKMLXTUBCGqrhj]}ltdeasu)\x80\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x94\x95\x96cRbio',
      'latin1',
    );
    let [read, refused] = [0, 0];
    for (let i = 0; i < cases(1500); i++) {
      let bytes: Buffer;
      if (random.chance(0.3))
        bytes = Buffer.from(Array.from({ length: random.whole(0, 60) }, () => random.whole(0, 255)));
      else if (random.chance(0.4))
        bytes = Buffer.from(
          Array.from({ length: random.whole(1, 80) }, () =>
            random.chance(0.8) ? random.pick([...opcodes]) : random.whole(0, 8),
          ),
        );
      else {
        bytes = Buffer.from(random.pick(real));
        for (let n = random.whole(1, 4); n > 0 && bytes.length > 0; n--) {
          const at = random.whole(0, bytes.length - 1);
          const kind = random.whole(0, 3);
          if (kind < 2) bytes[at] = random.whole(0, 255);
          else if (kind === 2) bytes = bytes.subarray(0, at);
          else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.whole(0, at))]);
        }
      }
      try {
        const value = readPickle(bytes);
        JSON.stringify(objectOfPickle(value) ?? null, (_key, item: unknown) =>
          typeof item === 'bigint' ? String(item) : item,
        );
        read++;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        if (!/^LINOD_ERR_(BAD_PICKLE|UNSAFE_PICKLE|PICKLE_LIMIT)$/.test(code))
          t.fail(`${bytes.toString('base64')}: ${error}`);
        refused++;
      }
    }
    t.ok(read > 0 && refused > 0, `${read} read, ${refused} refused`);
  },
);
