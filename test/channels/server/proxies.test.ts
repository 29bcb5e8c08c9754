import t from 'tap';
import { TrustedProxies } from '../../../channels/server/request/proxies.js';

const direct = { address: '10.0.0.9', port: 4711, isSecure: false };
const from = (value: string, proto = 'https') =>
  [
    ['x-forwarded-for', value],
    ['x-forwarded-proto', proto],
  ] as const;

t.test('without trust the headers mean nothing', async (t) => {
  const proxies = new TrustedProxies([]);
  t.same(proxies.originOf(direct, from('192.0.2.1')), { client: ['10.0.0.9', 4711], isSecure: false });
  t.same(new TrustedProxies(['10.0.0.1']).originOf(direct, from('192.0.2.1')).client, ['10.0.0.9', 4711]);
  t.equal(proxies.originOf({ ...direct, address: undefined }, from('192.0.2.1')).client, null);
});

t.test('the client is the rightmost address that is no trusted proxy', async (t) => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '2001:db8::/32', 'unix']);
  const clientOf = (value: string, address: string | undefined = direct.address) =>
    proxies.originOf({ ...direct, address }, from(value)).client?.[0];
  t.equal(clientOf('192.0.2.1'), '192.0.2.1');
  t.equal(clientOf('198.51.100.1, 192.0.2.1'), '192.0.2.1', 'what stands left may be made up');
  t.equal(clientOf('198.51.100.1, 192.0.2.1, 10.1.1.1'), '192.0.2.1');
  t.equal(clientOf('10.2.2.2, 10.1.1.1'), '10.2.2.2', 'all are proxies');
  t.equal(clientOf('192.0.2.1, nonsense'), '10.0.0.9', 'nothing beyond what cannot be read');
  t.equal(clientOf('192.0.2.1:80'), '192.0.2.1');
  t.equal(clientOf('[2001:db9::1]:80, 2001:db8::1'), '2001:db9::1');
  t.equal(clientOf('192.0.2.1', '::ffff:10.0.0.9'), '192.0.2.1', 'an IPv4 address on an IPv6 socket');
  t.equal(proxies.originOf({ ...direct, address: undefined }, from('192.0.2.1')).client?.[0], '192.0.2.1');
  t.ok(proxies.originOf(direct, from('192.0.2.1')).isSecure);
  t.notOk(proxies.originOf({ ...direct, isSecure: true }, from('192.0.2.1', 'http')).isSecure);
});

t.test('an entry that is neither address nor network is refused', async (t) => {
  for (const wrong of ['localhost', '10.0.0.0/33', '10.0.0.0/', '::1/129', ''])
    t.throws(() => new TrustedProxies([wrong]), { code: 'CHANNELS_ERR_INVALID_OPTION' }, wrong);
});
