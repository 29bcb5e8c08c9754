import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { hidePassword } from '../../../src/base/hide-password.js';
import { Procedures } from '../../../src/rules/procedure.js';
import { findSiteDirectory, loadSite } from '../../../src/site/site.js';
import { testDirectory } from '../../support/directory.js';

const config = (text: string) => ({
  'linod.config.ts': `import { defineSite } from 'linod';\nexport default defineSite(${text});`,
});

t.test('a TypeScript configuration is read, and paths in it count from its directory', async (t) => {
  const directory = testDirectory(
    t,
    config(
      "{ name: 'shop', logDirectory: 'logs', databaseUrl: 'sqlite:data/shop.db', timezone: 'Europe/Tallinn' as string }",
    ),
  );
  const site = await loadSite(directory, { environment: {} });
  t.equal(site.name, 'shop');
  t.equal(site.channel, 'linod_shop');
  t.equal(site.logChannel, 'linod_shop.log');
  t.equal(site.logFile, join(directory, 'logs', 'lino.log'));
  t.match(site.settings, {
    databaseUrl: `sqlite:${join(directory, 'data/shop.db')}`,
    channelLayer: `sqlite:${join(directory, 'channels.db')}`,
    timezone: 'Europe/Tallinn',
    maxJobs: 10,
    useLinod: true,
  });
  t.ok(Object.isFrozen(site.settings));
});

t.test('flags are stronger than the environment, that than the file, that than the defaults', async (t) => {
  const directory = testDirectory(t, {
    'linod.config.json': JSON.stringify({ name: 'a', logLevel: 'ERROR', maxJobs: 3, graceSeconds: 4 }),
  });
  const environment = { LINOD_MAX_JOBS: '5', LINO_LOGLEVEL: 'debug', LINOD_GRACE_SECONDS: '6' };
  const site = await loadSite(directory, { environment, flags: { graceSeconds: 7 } });
  t.match(site.settings, {
    logLevel: 'DEBUG',
    maxJobs: 5,
    graceSeconds: 7,
    timezone: 'UTC',
  });
});

t.test(
  "linod's own variables are stronger than those that other programs have, too; an empty one does not count",
  async (t) => {
    const directory = testDirectory(t, { 'linod.config.json': '{"name":"a"}' });
    const environment = { REDIS_URL: 'redis://one', LINOD_CHANNEL_LAYER: 'redis://two', DATABASE_URL: '' };
    const site = await loadSite(directory, { environment });
    t.match(site.settings, {
      channelLayer: 'redis://two',
      databaseUrl: `sqlite:${join(directory, 'linod.db')}`,
    });
  },
);

t.test('the layer of a site may be several hosts, and its options come from the settings', async (t) => {
  const directory = testDirectory(t, { 'linod.config.json': '{"name":"a"}' });
  const environment = {
    LINOD_CHANNEL_LAYER: 'redis+sentinel://a:1,b:2/main,rediss://:pw@c, unix:///d',
    LINOD_LAYER_KEYS: 'new,old',
    LINOD_LAYER_SERIALIZER: 'json',
  };
  const site = await loadSite(directory, { environment });
  t.match(site.settings, {
    channelLayer: ['redis+sentinel://a:1,b:2/main', 'rediss://:pw@c', 'unix:///d'],
    layerKeys: ['new', 'old'],
    layerSerializer: 'json',
  });
  await (await site.openLayer()).close();
  const one = await loadSite(directory, { environment: { REDIS_URL: 'redis+sentinel://a:1,b:2/main' } });
  t.equal(one.settings.channelLayer, 'redis+sentinel://a:1,b:2/main');
});

t.test('a URL that only the layer can judge is told as a wrong setting', async (t) => {
  const directory = testDirectory(t, { 'linod.config.json': '{"name":"a"}' });
  for (const [url, says] of [
    ['redis+cluster://:secret@a:1', /hash tag/],
    ['redis://:secret@a/db', /database is a number/],
  ] as const) {
    const site = await loadSite(directory, { environment: { REDIS_URL: url } });
    const wrong = { code: 'LINOD_ERR_BAD_CONFIG', key: 'channelLayer', message: says };
    await t.rejects(site.openLayer(), wrong);
    await t.rejects(site.openLayer(), { message: /^(?!.*secret)/ });
  }
});

t.test('the site is the named directory, LINOD_SITE, or the nearest one upwards', async (t) => {
  const directory = testDirectory(t, {
    'linod.config.json': '{"name":"a"}',
    deep: { down: {} },
    other: { 'linod.config.json': '{"name":"b"}' },
  });
  const other = join(directory, 'other');
  const cwd = process.cwd();
  t.teardown(() => process.chdir(cwd));
  process.chdir(join(directory, 'deep', 'down'));
  t.equal(findSiteDirectory(undefined, {}), directory);
  t.equal(findSiteDirectory(undefined, { LINOD_SITE: other }), other);
  t.equal(findSiteDirectory('../../other', { LINOD_SITE: directory }), other);
  t.throws(() => findSiteDirectory('.', {}), {
    code: 'LINOD_ERR_NO_SITE',
    message: `no linod.config.ts, .js, .mjs or .json in ${join(directory, 'deep/down')}; make a site: linod init mysite`,
  });
  t.throws(() => findSiteDirectory(undefined, { LINOD_SITE: '/nowhere' }), {
    message: 'environment variable LINOD_SITE: no directory /nowhere',
  });
  process.chdir('/');
  t.throws(() => findSiteDirectory(undefined, {}), {
    code: 'LINOD_ERR_NO_SITE',
    message: /^no linod\.config\.ts, \.js, \.mjs or \.json in \/ or above it/,
  });
});

t.test("the files of a site register into this program's own list, wherever the site lies", async (t) => {
  const directory = testDirectory(t, {
    ...config("{ name: 'shop', shippedProcedures: false, procedures: ['procedures', 'more/extra.ts'] }"),
    procedures: {
      'b.ts':
        "import { scheduleOften } from 'linod';\nimport { text } from './a.js';\nscheduleOften({ text }, function site_b() {});",
      'a.ts':
        "import { scheduleDaily } from 'linod';\nexport const text: string = 'from a';\nscheduleDaily(function site_a() {});",
      'types.d.ts': 'this is not read',
      'notes.txt': 'nor is this',
    },
    more: { 'extra.ts': "import { scheduleOften } from 'linod';\nscheduleOften(function site_extra() {});" },
  });
  const site = await loadSite(directory, { environment: {} });
  await site.loadProcedures();
  t.match(Procedures.get('site_b'), { text: 'from a', source: `${join(directory, 'procedures/b.ts')}:3` });
  t.same(
    Array.from(Procedures, (procedure) => procedure.name),
    ['site_a', 'site_b', 'site_extra'],
  );
});

t.test('a file that cannot be loaded is named, with its reason', async (t) => {
  const directory = testDirectory(t, {
    ...config("{ name: 'shop', shippedProcedures: false }"),
    procedures: { 'broken.ts': 'const = ;' },
  });
  const site = await loadSite(directory, { environment: {} });
  t.match(await site.loadProcedures(), [
    { code: 'LINOD_ERR_BAD_CONFIG', message: /^procedures\/broken\.ts: cannot be loaded: / },
  ]);
  writeFileSync(join(directory, 'procedures/broken.ts'), "throw new Error('no such table');");
  const again = await loadSite(directory, { environment: {} });
  const place = join(directory, 'procedures/broken.ts:1');
  t.match(await again.loadProcedures(), [
    { message: `procedures/broken.ts: cannot be loaded: no such table, at ${place}` },
  ]);
});

t.test('a configuration is read again when it is asked for anew', async (t) => {
  const directory = testDirectory(t, config("{ name: 'shop', maxJobs: 3 }"));
  t.equal((await loadSite(directory, { environment: {} })).settings.maxJobs, 3);
  writeFileSync(join(directory, 'linod.config.ts'), "export default { name: 'shop', maxJobs: 4 };");
  t.equal((await loadSite(directory, { environment: {} })).settings.maxJobs, 3);
  t.equal((await loadSite(directory, { environment: {}, anew: true })).settings.maxJobs, 4);
});

t.test('a site may be reached by a link', async (t) => {
  const directory = testDirectory(t, { real: { 'linod.config.json': '{"name":"a"}' } });
  symlinkSync(join(directory, 'real'), join(directory, 'link'));
  mkdirSync(join(directory, 'real', 'procedures'));
  const site = await loadSite(join(directory, 'link'), { environment: {} });
  await site.loadProcedures();
  t.equal(site.logFile, join(directory, 'link', 'log', 'lino.log'));
});

t.test('passwords in URLs are hidden from people', async (t) => {
  t.equal(hidePassword('redis://user:secret@host:1/2'), 'redis://user:***@host:1/2');
  t.equal(hidePassword('redis://:se:cr@et@host'), 'redis://:***@host');
  t.equal(hidePassword('redis://host:6379'), 'redis://host:6379');
  t.equal(
    hidePassword('postgres:///shop?user=ann&password=secret&host=h'),
    'postgres:///shop?user=ann&password=***&host=h',
  );
});
