import t from 'tap';
import {
  type Application,
  ChannelNameRouter,
  InvalidOptionError,
  ProtocolTypeRouter,
  path,
  rePath,
  type Scope,
  URLRouter,
} from '../../channels/index.js';

const noReceive = () => Promise.reject(new Error('nothing to receive'));
const noSend = async () => {};

/** An application that answers with its name and what it was given of the URL. */
function called(calls: unknown[], name: string): Application {
  return async (scope) => {
    calls.push([name, scope.urlRoute]);
  };
}

async function route(application: Application, scope: Scope): Promise<void> {
  await application(scope, noReceive, noSend);
}

t.test('the protocol type picks the application', async (t) => {
  const calls: unknown[] = [];
  const router = ProtocolTypeRouter({ http: called(calls, 'http'), websocket: called(calls, 'websocket') });
  await route(router, { type: 'websocket' });
  t.same(calls, [['websocket', undefined]]);
  await t.rejects(route(router, { type: 'channel' }), {
    code: 'CHANNELS_ERR_NO_ROUTE',
    message: 'no application for protocol type "channel"; there are: http, websocket',
  });
  await t.rejects(route(router, { type: 'constructor' }), { code: 'CHANNELS_ERR_NO_ROUTE' });
});

t.test('the channel picks the application', async (t) => {
  const calls: unknown[] = [];
  const router = ChannelNameRouter({ linod_demo: called(calls, 'linod') });
  await route(router, { type: 'channel', channel: 'linod_demo' });
  t.same(calls, [['linod', undefined]]);
  await t.rejects(route(router, { type: 'channel', channel: 'toString' }), {
    message: 'no application for channel "toString"; there are: linod_demo',
  });
  await t.rejects(route(router, { type: 'websocket' }), {
    message: 'no application for a scope without channel; there are: linod_demo',
  });
});

t.test('routers nest, and pass on what the application is given', async (t) => {
  const given: unknown[] = [];
  const application: Application = async (...args) => {
    given.push(...args);
  };
  const router = ProtocolTypeRouter({ channel: ChannelNameRouter({ a: application }) });
  const scope = { type: 'channel', channel: 'a' };
  await router(scope, noReceive, noSend);
  t.same(given, [scope, noReceive, noSend]);
});

t.test('the first path that fits picks the application and names its parts', async (t) => {
  const calls: unknown[] = [];
  const router = URLRouter([
    path('/room/lobby/', called(calls, 'lobby')),
    path('/room/:name/', called(calls, 'room')),
    path('file/:name.:kind', called(calls, 'file')),
    path('/a+b(c)/', called(calls, 'odd')),
    path('/', called(calls, 'root')),
  ]);
  const paths = ['/room/lobby/', '/room/õhtu 1/', '/file/a.b.txt', '/a+b(c)/', '/', ''];
  for (const each of paths) await route(router, { type: 'websocket', path: each });
  t.same(calls, [
    ['lobby', { args: [], kwargs: {} }],
    ['room', { args: [], kwargs: { name: 'õhtu 1' } }],
    ['file', { args: [], kwargs: { name: 'a.b', kind: 'txt' } }],
    ['odd', { args: [], kwargs: {} }],
    ['root', { args: [], kwargs: {} }],
    ['root', { args: [], kwargs: {} }],
  ]);
  const without = ['/room/', '/room/a', '/room//', '/room/a/b/', '/room/lobby', '/x', '/aab(c)/', '/Room/a/'];
  for (const each of without) {
    await t.rejects(
      route(router, { type: 'websocket', path: each }),
      { code: 'CHANNELS_ERR_NO_ROUTE' },
      each,
    );
  }
});

t.test('a path that no route fits is told with the routes there are', async (t) => {
  const router = URLRouter([path('/a/', called([], 'a')), rePath(/^b\/$/, called([], 'b'))]);
  await t.rejects(route(router, { type: 'http', path: '/c/' }), {
    message: 'no route for path "/c/"; there are: /a/, /^b\\/$/',
  });
});

t.test('an expression gives its named groups, or else its unnamed ones', async (t) => {
  const calls: unknown[] = [];
  const router = URLRouter([
    rePath(/^year\/(\d{4})(-\d\d)?\/$/, called(calls, 'unnamed')),
    rePath(/named\/(?<year>\d{4})(-(?<month>\d\d))?\/$/gi, called(calls, 'named')),
    rePath(/open/, called(calls, 'open')),
  ]);
  for (const each of ['/year/2026/', '/NAMED/2026-02/', '/named/2026/', '/named/2026/', '/open/end']) {
    await route(router, { type: 'http', path: each });
  }
  t.same(calls, [
    ['unnamed', { args: ['2026'], kwargs: {} }],
    ['named', { args: [], kwargs: { year: '2026', month: '02' } }],
    ['named', { args: [], kwargs: { year: '2026' } }],
    ['named', { args: [], kwargs: { year: '2026' } }],
    ['open', { args: [], kwargs: {} }],
  ]);
  await t.rejects(route(router, { type: 'http', path: '/not/open' }), { code: 'CHANNELS_ERR_NO_ROUTE' });
});

t.test('a nested router gets the rest of the path and adds to the parameters', async (t) => {
  const calls: unknown[] = [];
  const rooms = URLRouter([
    path('/:room/', called(calls, 'room')),
    rePath(/(\d+)\/(\d+)$/, called(calls, 'numbers')),
  ]);
  const router = URLRouter([
    path('/site/:site/', rooms),
    rePath(/^old\/(\w+)\//, rooms),
    path('/site/:site/about', called(calls, 'about')),
  ]);
  for (const each of ['/site/demo/lobby/', '/site/demo/1/2', '/old/x/3/4', '/site/demo/about']) {
    await route(router, { type: 'websocket', path: each });
  }
  t.same(calls, [
    ['room', { args: [], kwargs: { site: 'demo', room: 'lobby' } }],
    ['numbers', { args: ['1', '2'], kwargs: { site: 'demo' } }],
    ['numbers', { args: ['x', '3', '4'], kwargs: {} }],
    ['about', { args: [], kwargs: { site: 'demo' } }],
  ]);
  await t.rejects(route(router, { type: 'websocket', path: '/site/demo/' }), {
    code: 'CHANNELS_ERR_NO_ROUTE',
  });
});

t.test("a router leaves the caller's scope as it is", async (t) => {
  const scope = Object.freeze({ type: 'http', path: '/a/' });
  await t.resolves(route(URLRouter([path('/:name/', called([], 'a'))]), scope));
});

t.test('a path with the same name twice is refused', async (t) => {
  t.throws(() => path('/:a/:a/', noApplication), InvalidOptionError);
});

t.test('an error of the application is passed on', async (t) => {
  const error = new Error('broken');
  const application: Application = () => Promise.reject(error);
  await t.rejects(route(URLRouter([path('/', application)]), { type: 'http', path: '/' }), error);
  await t.rejects(route(ProtocolTypeRouter({ http: application }), { type: 'http' }), error);
});

const noApplication: Application = async () => {};
