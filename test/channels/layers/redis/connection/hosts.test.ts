// The option `hosts` in all its forms, and which host a name belongs to.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { type Endpoint, parseHosts, shardOf } from '../../../../../channels/layers/redis/connection/hosts.js';
import { testDirectory } from '../../../../support/directory.js';
import { wireVectors } from '../../../../support/wire-vectors.js';

function endpoints(hosts: unknown, prefix = 'asgi'): Endpoint[] {
  return parseHosts(hosts, prefix).map(({ options }) => options);
}

function names(hosts: unknown, prefix = 'asgi'): string[] {
  return parseHosts(hosts, prefix).map(({ name }) => name);
}

t.test('names belong to the same hosts as in Python', async (t) => {
  const { ring_sizes, names } = wireVectors.consistent_hash;
  t.ok(names.length > 100);
  for (const [name, , shards] of names)
    t.same(
      ring_sizes.map((size) => shardOf(name, size)),
      shards,
      JSON.stringify(name),
    );
});

t.test('every form of hosts that Python takes is taken, and what it refuses is refused', async (t) => {
  t.ok(wireVectors.hosts.length > 8);
  for (const { hosts, decoded, error } of wireVectors.hosts) {
    const given = camelCase(hosts);
    if (error === undefined)
      t.equal(parseHosts(given, 'asgi').length, decoded?.length, JSON.stringify(hosts));
    else
      t.throws(
        () => parseHosts(given, 'asgi'),
        { code: 'CHANNELS_ERR_INVALID_OPTION' },
        JSON.stringify(hosts),
      );
  }
});

t.test('a host is read from a URL, a pair or an object', async (t) => {
  const forms: ReadonlyArray<readonly [unknown, Endpoint, string]> = [
    ['redis://localhost', { host: 'localhost', port: 6379 }, 'localhost:6379'],
    ['redis://', { host: 'localhost', port: 6379 }, 'localhost:6379'],
    ['REDIS://a:1/2', { host: 'a', port: 1, db: 2 }, 'a:1'],
    ['redis://[::1]:7/', { host: '::1', port: 7 }, '[::1]:7'],
    ['redis://:p%40ss@a?db=3', { host: 'a', port: 6379, db: 3, password: 'p@ss' }, 'a:6379'],
    ['redis://me:a@b@c', { host: 'c', port: 6379, username: 'me', password: 'a@b' }, 'c:6379'],
    ['redis://me@a', { host: 'a', port: 6379, username: 'me' }, 'a:6379'],
    ['rediss://a', { host: 'a', port: 6379, tls: {} }, 'a:6379'],
    [
      'rediss://a?ssl_cert_reqs=none',
      { host: 'a', port: 6379, tls: { rejectUnauthorized: false } },
      'a:6379',
    ],
    ['unix:///run/redis.sock?db=3', { path: '/run/redis.sock', db: 3 }, '/run/redis.sock'],
    [
      'unix://me:pw@/run/redis.sock',
      { path: '/run/redis.sock', username: 'me', password: 'pw' },
      '/run/redis.sock',
    ],
    [['a', 1], { host: 'a', port: 1 }, 'a:1'],
    [['a', 1, 'ignored'], { host: 'a', port: 1 }, 'a:1'],
    [{}, { host: 'localhost', port: 6379 }, 'localhost:6379'],
    [
      { host: 'a', db: 2, username: 'me', password: 'pw' },
      { host: 'a', port: 6379, db: 2, username: 'me', password: 'pw' },
      'a:6379',
    ],
    [
      { address: 'redis://a/1', db: 2, password: 'pw', tls: true },
      { host: 'a', port: 6379, db: 1, password: 'pw', tls: {} },
      'a:6379',
    ],
    [{ path: '/run/redis.sock' }, { path: '/run/redis.sock' }, '/run/redis.sock'],
    [{ host: 'a', tls: { servername: 'b' } }, { host: 'a', port: 6379, tls: { servername: 'b' } }, 'a:6379'],
    [{ host: 'a', tls: false }, { host: 'a', port: 6379 }, 'a:6379'],
  ];
  for (const [host, endpoint, name] of forms) {
    t.strictSame(endpoints([host]), [endpoint], inspect(host));
    t.same(names([host]), [name]);
  }
  t.strictSame(endpoints(undefined), [{ host: 'localhost', port: 6379 }]);
  t.strictSame(endpoints([]), [{ host: 'localhost', port: 6379 }]);
});

t.test('groups of servers are read from a URL or an object', async (t) => {
  const sentinels = [
    ['a', 1],
    ['b', 26_379],
  ];
  const nodes = [
    { host: 'a', port: 1 },
    { host: 'b', port: 26_379 },
  ];
  for (const host of [
    'redis+sentinel://:pw@a:1,b/main/2',
    'rediss+sentinel://a:1,b/main?db=2',
    { sentinels, masterName: 'main' },
  ])
    t.match(parseHosts([host], 'asgi'), [
      { name: 'a:1,b:26379/main', options: { name: 'main', sentinels: nodes } },
    ]);
  for (const host of ['redis+cluster://me:pw@a:1,b:26379', { cluster: sentinels }])
    t.match(parseHosts([host], '{asgi}'), [{ name: 'cluster a:1,b:26379', cluster: nodes }]);
});

t.test(
  'the files of a TLS connection are read, and which they are is told when they cannot be',
  async (t) => {
    const directory = testDirectory(t);
    const path = join(directory, 'ca.pem');
    writeFileSync(path, 'certificate');
    const url = `rediss://a?ssl_ca_certs=${path}&ssl_certfile=${path}&ssl_keyfile=${path}&ssl_check_hostname=false`;
    t.match(endpoints([url]), [
      { tls: { ca: 'certificate', cert: 'certificate', key: 'certificate', checkServerIdentity: Function } },
    ]);
    t.throws(() => parseHosts([`rediss://:topsecret@a?ssl_ca_certs=${directory}/none`], 'asgi'), {
      message:
        /^(?!.*topsecret)expected hosts\[0\] to be a URL whose ssl_ca_certs is a file that can be read \(.*none: ENOENT\)/,
    });
  },
);

t.test('what is no host is refused with what is allowed, and shows no password', async (t) => {
  const refused: ReadonlyArray<readonly [unknown, RegExp]> = [
    ['redis://:topsecret@a,b', /one host; several make a list/],
    ['redis://:topsecret@a:port', /ports are numbers/],
    ['redis://:topsecret@a:70000', /ports are numbers/],
    ['redis://:topsecret@', /a host after the "@"/],
    ['redis://:topsecret%zz@a', /percent-encoded/],
    ['redis://:topsecret@a/db', /database is a number/],
    ['redis://:topsecret@a?ssl_cert_reqs=none', /no other parameter than db,/],
    ['rediss://a?ssl_cert_reqs=perhaps', /ssl_cert_reqs is required or none/],
    ['redis+sentinel://:topsecret@a', /name of the master/],
    ['redis+cluster://:topsecret@a/1', /database 0 only/],
    ['redis+cluster://:topsecret@a', /hash tag/],
    ['redis+other://:topsecret@a', /begins with redis/],
    ['topsecret', /begins with redis/],
    [5, /a URL, a pair of host and port, or an object/],
    [['a'], /pair of a host and a port/],
    [['a', 'topsecret'], /pair of a host and a port/],
    [{ address: 'redis://:topsecret@a:port' }, /ports are numbers/],
    [{ host: 'a', passwort: 'topsecret' }, /no other keys than address, host, port, path, db/],
    [{ host: 'a', password: ['topsecret'] }, /valid password/],
    [{ sentinels: [['a', 1]], password: 'topsecret' }, /both sentinels and masterName/],
    [{ sentinels: [], masterName: 'main' }, /valid sentinels/],
  ];
  for (const [host, message] of refused) {
    const error = thrown(() =>
      parseHosts(['redis://a', host], host === 'redis+cluster://:topsecret@a/1' ? '{a}' : 'asgi'),
    );
    t.match(error, { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'hosts[1]', message }, inspect(host));
    t.notMatch(inspect(error, { depth: 10, showHidden: true }), /topsecret/);
  }
  t.throws(() => parseHosts('redis://:topsecret@a', 'asgi'), {
    message: /list of URLs, of pairs .* got: "a string"$/,
  });
});

function thrown(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Python's names of options as they are called here. */
function camelCase(hosts: unknown): unknown {
  if (!Array.isArray(hosts)) return hosts;
  return hosts.map((host: unknown) => {
    if (typeof host !== 'object' || host === null || Array.isArray(host)) return host;
    return Object.fromEntries(
      Object.entries(host).map(([key, value]) =>
        key === 'ssl_cert_reqs'
          ? ['tls', { rejectUnauthorized: value !== null }]
          : [key === 'master_name' ? 'masterName' : key, value],
      ),
    );
  });
}
