import t from 'tap';
import {
  isPublicAddress,
  parseEndpoint,
  publicLookup,
  refusePrivateEndpoint,
} from '../../../procedures/push/addresses.js';

const notPublic = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::a00:1',
  '2001::1',
  '2001:db8::1',
  '2002:a00:1::',
  'fc00::1',
  'fe80::1',
  'ff02::1',
  'localhost',
  '',
];

t.test('private, special and invalid addresses are not public', async (t) => {
  for (const address of notPublic) t.equal(isPublicAddress(address), false, address);
  for (const address of ['1.1.1.1', '172.32.0.1', '223.255.255.255', '2606:4700::1111', '::ffff:1.1.1.1']) {
    t.equal(isPublicAddress(address), true, address);
  }
});

t.test('an endpoint that names a private address in any spelling is refused', async (t) => {
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '10.0.0.1:8443',
    '[::1]',
    '[::ffff:192.168.1.1]',
    '[fd00::1]',
  ]) {
    const url = parseEndpoint(`https://${host}/push`);
    if (typeof url === 'string') throw new Error(url);
    t.throws(() => refusePrivateEndpoint(url), { code: 'LINOD_ERR_PRIVATE_ADDRESS' }, host);
  }
  const url = parseEndpoint('https://push.example.org/1');
  if (typeof url === 'string') throw new Error(url);
  t.doesNotThrow(() => refusePrivateEndpoint(url), 'a name is checked when it is resolved');
});

t.test('plain http is allowed only on this machine', async (t) => {
  for (const host of ['127.0.0.1:80', 'localhost', '[::1]:81']) {
    t.type(parseEndpoint(`http://${host}/push`), URL, host);
  }
  for (const host of ['localhost.example.org', '127.0.0.1.example.org', '10.0.0.1', '[::2]']) {
    t.match(parseEndpoint(`http://${host}/push`), /^expected a URL that begins with https:/, host);
  }
});

t.test('a name with a private address is refused when the connection resolves it', async (t) => {
  for (const all of [true, false]) {
    const error = await new Promise((resolve) => {
      publicLookup('localhost', { all }, (error) => resolve(error));
    });
    t.match(error, {
      code: 'LINOD_ERR_PRIVATE_ADDRESS',
      message: /^localhost \((127\.0\.0\.1|::1)\) is not a public/,
    });
  }
});
