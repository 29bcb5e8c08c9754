import t from 'tap';
import {
  AllowedHosts,
  type Application,
  cookies,
  cookiesOf,
  type HeaderList,
  type HttpResponseStart,
  type Message,
  OriginValidator,
  sessionOf,
  signedSession,
} from '../../../channels/index.js';
import { ApplicationCommunicator } from '../../../channels/testing.js';

const accepts: Application = async (scope, receive, send) => {
  await receive();
  if (scope.type === 'websocket') await send({ type: 'websocket.accept' });
  else await send({ type: 'http.response.start', status: 200, headers: [] } as Message);
};

const scopeOf = (type: 'http' | 'websocket', headers: HeaderList) => ({
  type,
  headers,
  scheme: type,
  path: '/',
});

async function firstOutput(application: Application, type: 'http' | 'websocket', headers: HeaderList) {
  const communicator = new ApplicationCommunicator(application, scopeOf(type, headers));
  await communicator.sendInput({ type: type === 'http' ? 'http.request' : 'websocket.connect' });
  const output = await communicator.receiveOutput();
  await communicator.stop();
  return output;
}

async function allows(patterns: string[], origin: string | undefined): Promise<boolean> {
  const headers: HeaderList = origin === undefined ? [] : [['origin', origin]];
  return (
    (await firstOutput(OriginValidator(accepts, patterns), 'websocket', headers)).type === 'websocket.accept'
  );
}

t.test('origins fit patterns as in Channels', async (t) => {
  const cases: Array<[pattern: string, origin: string | undefined, isAllowed: boolean]> = [
    ['*', 'http://any.example', true],
    ['*', undefined, true],
    ['example.org', undefined, false],
    ['example.org', 'null', false],
    ['example.org', 'http://example.org', true],
    ['example.org', 'https://EXAMPLE.org:8443', true],
    ['example.org', 'http://www.example.org', false],
    ['example.org', 'http://example.org.evil.example', false],
    ['example.org', 'http://example.org@evil.example', false],
    ['.example.org', 'http://example.org', true],
    ['.example.org', 'http://a.b.example.org', true],
    ['.example.org', 'http://badexample.org', false],
    ['http://example.org', 'http://example.org', true],
    ['http://example.org', 'http://example.org:80', true],
    ['http://example.org', 'https://example.org', false],
    ['http://example.org:8000', 'http://example.org', false],
    ['https://.example.org', 'https://www.example.org:443', true],
    ['http://[::1]:8000', 'http://[::1]:8000', true],
  ];
  for (const [pattern, origin, isAllowed] of cases)
    t.equal(await allows([pattern], origin), isAllowed, `${pattern}: ${origin}`);
  const validator = OriginValidator(accepts, ['*']);
  await t.rejects(firstOutput(validator, 'http', []), { code: 'CHANNELS_ERR_PROTOCOL' });
});

t.test('a host that is not served is refused, and a socket of another origin', async (t) => {
  const application = AllowedHosts(accepts, ['.example.org', '[::1]']);
  const outcome = async (type: 'http' | 'websocket', headers: HeaderList) => {
    const { type: answer, status } = (await firstOutput(application, type, headers)) as HttpResponseStart;
    return status ?? answer;
  };
  t.equal(await outcome('http', [['host', 'www.example.org:8000']]), 200);
  t.equal(await outcome('http', [['host', '[::1]:8000']]), 200);
  t.equal(await outcome('http', [['host', 'evil.example']]), 400);
  t.equal(await outcome('http', []), 400);
  const origin = ['origin', 'https://example.org'] as const;
  t.equal(await outcome('websocket', [['host', 'example.org'], origin]), 'websocket.accept');
  t.equal(await outcome('websocket', [['host', 'example.org']]), 'websocket.close');
  t.equal(await outcome('websocket', [['host', 'evil.example'], origin]), 'websocket.close');
});

t.test('cookies are read, without their quotes', async (t) => {
  let seen: unknown;
  const application = cookies(async (scope, receive, send) => {
    seen = cookiesOf(scope);
    await accepts(scope, receive, send);
  });
  await firstOutput(application, 'http', [
    ['cookie', 'a=1; b="x y"; c=d=e; lonely; a=2'],
    ['cookie', '__proto__=p'],
  ]);
  t.same(Object.entries(Object(seen)), [
    ['a', '2'],
    ['b', 'x y'],
    ['c', 'd=e'],
    ['__proto__', 'p'],
  ]);
  t.throws(() => cookiesOf({ type: 'http' }), { code: 'CHANNELS_ERR_PROTOCOL' });
});

const [key, oldKey] = ['k'.repeat(32), 'o'.repeat(32)];

/** Runs a request with a cookie; returns the session that the application saw, and the cookie that it got. */
async function visit(
  keys: string[],
  cookie: string | undefined,
  change: (session: Record<string, unknown>) => void,
  options = {},
) {
  let seen = '';
  const application = signedSession(
    async (scope, receive, send) => {
      seen = JSON.stringify(sessionOf(scope));
      change(sessionOf(scope));
      await accepts(scope, receive, send);
    },
    { keys, ...options },
  );
  const headers: HeaderList = cookie === undefined ? [] : [['cookie', `session=${cookie}`]];
  const output = (await firstOutput(application, 'http', headers)) as HttpResponseStart;
  const set = output.headers?.find(([name]) => name === 'set-cookie')?.[1];
  return { seen, set, cookie: /^session=([^;]*)/.exec(set ?? '')?.[1] };
}

t.test('a session is written when it changed, read again, and removed when it is empty', async (t) => {
  const first = await visit([key], undefined, (session) => {
    session.user = 7;
  });
  t.equal(first.seen, '{}');
  t.match(first.set, /^session=[\w.-]+; Max-Age=1209600; Path=\/; HttpOnly; SameSite=Lax$/);
  const second = await visit([key], first.cookie, () => undefined);
  t.same([second.seen, second.set], ['{"user":7}', undefined]);
  const third = await visit([key], first.cookie, (session) => {
    delete session.user;
  });
  t.match(third.set, /^session=; Max-Age=0;/);
});

t.test(
  'a session that is forged, of another key or too old is empty; an old key is still believed',
  async (t) => {
    const { cookie = '' } = await visit([oldKey], undefined, (session) => {
      session.user = 7;
    });
    const seenWith = async (keys: string[], value: string, options = {}) =>
      (await visit(keys, value, () => undefined, options)).seen;
    t.equal(await seenWith([key, oldKey], cookie), '{"user":7}');
    t.equal(await seenWith([key], cookie), '{}');
    t.equal(await seenWith([oldKey], cookie, { maxAgeSeconds: -1 }), '{}');
    const [content = '', seconds = '', signature = ''] = cookie.split('.');
    const forged = Buffer.from('{"user":1}').toString('base64url');
    for (const value of [
      `${forged}.${seconds}.${signature}`,
      `${content}.${seconds}.`,
      `${content}.9${seconds}.${signature}`,
      'x',
    ])
      t.equal(await seenWith([oldKey], value), '{}', value);
    await t.rejects(
      visit([key], undefined, (session) => {
        session.text = 'x'.repeat(5000);
      }),
      { code: 'CHANNELS_ERR_SESSION_TOO_LARGE' },
    );
    t.throws(() => signedSession(accepts, { keys: ['short'] }), { code: 'CHANNELS_ERR_INVALID_OPTION' });
  },
);
