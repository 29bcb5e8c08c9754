// Every way of configuring a site wrongly is told in one line: the place, the key, what was found, what is allowed.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { aboutSetting, settingNames, variablesOf } from '../../src/site/resolve-settings.js';
import type { Settings } from '../../src/site/site.js';
import { CommandShell } from '../support/command-shell.js';
import { testDirectory } from '../support/directory.js';
import { LiveSite } from '../support/live-site.js';
import { Program, type ScriptName, scriptPath } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

/** Runs `linod`, or another command, and expects this one line on stderr, nothing on stdout, and an exit code. */
async function expectRefusal(
  t: Test,
  site: LiveSite,
  message: string | RegExp,
  { script = 'linod' as ScriptName, args = [] as readonly string[], code = 2 } = {},
): Promise<void> {
  const ended = await site.run(script, ...args);
  const stderr = typeof message === 'string' ? `${script}: ${message}\n` : message;
  t.match(ended, { code, stdout: /^$/, stderr }, `${script} ${args.join(' ')}`);
  t.match(ended.stderr, /^[^\n]*\n$/, 'in one line');
  if (typeof message === 'string') t.equal(ended.stderr, stderr);
}

/** For each setting values that it must not have, and how they are shown. */
const wrongValues: { [K in keyof Settings]: ReadonlyArray<[value: unknown, shown: string]> } = {
  name: [
    ['Café', '"Café"'],
    ['x'.repeat(41), `"${'x'.repeat(41)}"`],
    [7, '7'],
  ],
  useLinod: [['maybe', '"maybe"']],
  channelLayer: [
    ['http://localhost', '"http://localhost"'],
    ['sqlite:', '"sqlite:"'],
    [6379, '6379'],
    [[], '[]'],
    [['redis://:secret@one', 'sqlite:two'], '["redis://:***@one","sqlite:two"]'],
  ],
  layerPrefix: [
    ['a b', '"a b"'],
    ['', '""'],
  ],
  layerKeys: [
    ['secret', 'something else, which is not shown'],
    [['secret', ''], 'something else, which is not shown'],
  ],
  layerSerializer: [['pickle', '"pickle"']],
  databaseUrl: [
    ['mysql://localhost/site', '"mysql://localhost/site"'],
    ['mysql://ann:secret@localhost/site', '"mysql://ann:***@localhost/site"'],
    ['linod.db', '"linod.db"'],
  ],
  logDirectory: [
    ['', '""'],
    [{ path: 'log' }, '{"path":"log"}'],
  ],
  logLevel: [
    ['LOUD', '"LOUD"'],
    [20, '20'],
  ],
  logSocket: [[7, '7']],
  logSocketMode: [
    ['rw', '"rw"'],
    [600, '600'],
  ],
  logFormat: [
    ['xml', '"xml"'],
    ['JSON', '"JSON"'],
  ],
  logLevels: [
    [{ shop: 'LOUD' }, '{"shop":"LOUD"}'],
    [{ 'shop orders': 'DEBUG' }, '{"shop orders":"DEBUG"}'],
    ['DEBUG', '"DEBUG"'],
  ],
  redact: [
    ['user..token', '"user..token"'],
    [['password', '.key'], '["password",".key"]'],
  ],
  logSync: [
    ['sometimes', '"sometimes"'],
    [true, 'true'],
  ],
  logOrderMs: [
    [-1, '-1'],
    ['soon', '"soon"'],
  ],
  logGatherMs: [
    [0.5, '0.5'],
    ['long', '"long"'],
  ],
  logBlockMs: [['long', '"long"']],
  logSpoolMegabytes: [['much', '"much"']],
  logSpoolKeeps: [['both', '"both"']],
  logRotate: [
    ['weekly', '"weekly"'],
    [1, '1'],
  ],
  logRotateMegabytes: [
    [-1, '-1'],
    ['100 MB', '"100 MB"'],
  ],
  logKeepFiles: [
    [1.5, '1.5'],
    ['many', '"many"'],
  ],
  logKeepDays: [
    [-1, '-1'],
    ['long', '"long"'],
  ],
  logCompress: [['gzip', '"gzip"']],
  timezone: [
    ['Mars/Olympus', '"Mars/Olympus"'],
    [null, 'null'],
  ],
  procedures: [
    ['procedures', '"procedures"'],
    [[''], '[""]'],
  ],
  shippedProcedures: [['some', '"some"']],
  mailUrl: [
    ['mail.example.org', '"mail.example.org"'],
    ['https://ann:secret@mail.example.org', '"https://ann:***@mail.example.org"'],
  ],
  mailFrom: [['shop', '"shop"']],
  mailConnections: [
    [0, '0'],
    ['few', '"few"'],
  ],
  mailsPerSecond: [
    [-1, '-1'],
    ['many', '"many"'],
  ],
  application: [['chat', '"chat"']],
  http: [
    ['localhost', '"localhost"'],
    [['127.0.0.1:70000'], '["127.0.0.1:70000"]'],
  ],
  httpLimits: [
    [{ pingMs: 0 }, '{"pingMs":0}'],
    [{ ping: 1 }, '{"ping":1}'],
  ],
  httpTrustedProxies: [
    ['localhost', '"localhost"'],
    [['10.0.0.0/40'], '["10.0.0.0/40"]'],
  ],
  httpCompression: [['maybe', '"maybe"']],
  httpCertificate: [[7, '7']],
  httpKey: [[7, '7']],
  httpSocketMode: [['rw', '"rw"']],
  console: [['localhost', '"localhost"']],
  health: [
    ['localhost', '"localhost"'],
    ['unix:linod.sock', '"unix:linod.sock"'],
  ],
  consolePrefix: [
    ['linod', '"linod"'],
    ['/linod/', '"/linod/"'],
    ['/../linod', '"/../linod"'],
  ],
  consoleHosts: [
    ['http://example.org', '"http://example.org"'],
    [['a b'], '["a b"]'],
  ],
  consoleUserHeader: [
    ['x_user', '"x_user"'],
    [7, '7'],
  ],
  consoleGroupHeader: [['x groups', '"x groups"']],
  consoleRoles: [
    ['ops', '"ops"'],
    [{ ops: 'root' }, '{"ops":"root"}'],
  ],
  consoleUser: [['ann', '"ann"']],
  consumers: [
    [[], '[]'],
    ['chat.js', '"chat.js"'],
  ],
  alarmMail: [
    ['ops', '"ops"'],
    [['ops@example.org', 'a b'], '["ops@example.org","a b"]'],
  ],
  alarmWebhook: [['ftp://hook.example.org/key', 'something else, which is not shown']],
  alarmWebhookSecret: [['too short', 'something else, which is not shown']],
  alarmWebhookFormat: [['xml', '"xml"']],
  alarmCommand: [
    ['', '""'],
    [['page', 7], '["page",7]'],
  ],
  maxJobs: [
    [0, '0'],
    [1.5, '1.5'],
    ['many', '"many"'],
    [1001, '1001'],
  ],
  graceSeconds: [
    [-1, '-1'],
    ['soon', '"soon"'],
    [86_401, '86401'],
  ],
  vapidSubject: [
    ['ann@example.org', '"ann@example.org"'],
    [{}, '{}'],
  ],
  vapidPublicKey: [
    ['BAAA', '"BAAA"'],
    [1, '1'],
  ],
  vapidPrivateKey: [['secret', 'something else, which is not shown']],
  pushToPrivateAddresses: [
    ['maybe', '"maybe"'],
    [1, '1'],
  ],
};

/** Settings whose environment variables may hold any text. */
const anyText: ReadonlyArray<keyof Settings> = [
  'logDirectory',
  'logSocket',
  'procedures',
  'layerKeys',
  'httpCertificate',
  'httpKey',
  'alarmCommand',
];

t.test('a wrong value of any setting in the configuration file is told', async (t) => {
  t.same(new Set(Object.keys(wrongValues)), new Set(settingNames), 'no setting is left out');
  const site = new LiveSite(t);
  const shell = await CommandShell.start(t, site.directory);
  for (const key of settingNames) {
    for (const [value, shown] of wrongValues[key]) {
      site.write({ 'linod.config.json': JSON.stringify({ name: 'test', [key]: value }) });
      const { allowed } = aboutSetting(key);
      const message = `linod: linod.config.json: ${key}: expected ${allowed}, got: ${shown}\n`;
      t.strictSame(await shell.run('linod'), { code: 2, stdout: '', stderr: message });
    }
  }
});

t.test('of a wrong consumer the message says which it is, and what is wrong with it', async (t) => {
  const site = new LiveSite(t);
  for (const [consumer, problem] of [
    [
      "'./chat.js'",
      'expected chat to be an application, (scope, receive, send) => Promise<void>, or { application, lease: "30s" }, got: "./chat.js"',
    ],
    ["{ lease: '30s' }", 'chat.application is missing'],
    ["{ application: async () => {}, leas: '30s' }", 'there is no key "leas" in chat, did you mean "lease"?'],
    [
      "{ application: async () => {}, lease: '2d' }",
      'expected chat.lease to be a time from "1s" to "24h", such as "30s", got: "2d"',
    ],
  ] as const) {
    site.write({
      'linod.config.ts': `export default { name: 'test', consumers: { fine: async () => {}, chat: ${consumer} } };`,
    });
    await expectRefusal(t, site, `linod.config.ts: consumers: ${problem}`);
  }
});

t.test('a wrong value in any environment variable is told', async (t) => {
  const shell = await CommandShell.start(t, new LiveSite(t).directory);
  for (const key of settingNames) {
    const { allowed } = aboutSetting(key);
    const wrong = wrongValues[key].find(([value]) => typeof value === 'string' && value !== '');
    for (const name of anyText.includes(key) ? [] : variablesOf(key)) {
      if (typeof wrong?.[0] !== 'string') throw new Error(`expected a wrong text for ${key}`);
      const message = `linod: environment variable ${name}: ${key}: expected ${allowed}, got: ${wrong[1]}\n`;
      const outcome = await shell.run('linod', { [name]: wrong[0] });
      t.strictSame(outcome, { code: 2, stdout: '', stderr: message });
    }
  }
});

t.test('the command line is stronger than the environment, which is stronger than the file', async (t) => {
  const site = new LiveSite(t, { channelLayer: 'http://file' });
  await expectRefusal(t, site, /^linod: linod\.config\.json: channelLayer: .* got: "http:\/\/file"\n$/);
  site.environment = { REDIS_URL: 'http://redis', LINOD_CHANNEL_LAYER: 'http://own', LINOD_MAX_JOBS: '' };
  await expectRefusal(
    t,
    site,
    /^linod: environment variable LINOD_CHANNEL_LAYER: channelLayer: .* got: "http:\/\/own"\n$/,
  );
  const args = [site.channel, '--layer', 'http://flag'];
  const message = /^runworker: the command line: channelLayer: .* got: "http:\/\/flag"\n$/;
  await expectRefusal(t, site, message, { script: 'runworker', args });
});

t.test('an unknown setting is told, with the nearest known one', async (t) => {
  const site = new LiveSite(t);
  const refuse = (key: string, message: string) => {
    site.write({ 'linod.config.json': JSON.stringify({ name: 'test', [key]: 1 }) });
    return expectRefusal(t, site, `linod.config.json: ${message}`);
  };
  await refuse('timeZone', 'unknown setting "timeZone", did you mean "timezone"?');
  await refuse('chanelLayer', 'unknown setting "chanelLayer", did you mean "channelLayer"?');
  await refuse('colour', `unknown setting "colour"; known are ${settingNames.join(', ')}`);
});

t.test('a configuration file that cannot be read is told, with the place', async (t) => {
  const site = new LiveSite(t);
  const json = async (content: string, message: string | RegExp) => {
    site.write({ 'linod.config.json': content });
    await expectRefusal(t, site, message);
  };
  await json('{ "name": "test", }', /^linod: linod\.config\.json: cannot be read: SyntaxError: .* JSON/);
  await json('[]', 'linod.config.json: expected a JSON object');

  const typescript = async (content: string, message: string | RegExp) => {
    site.write({ 'linod.config.ts': content });
    for (const script of ['linod', 'initiate_linod'] as const) {
      await expectRefusal(t, site, typeof message === 'string' ? message : message, { script });
    }
  };
  const place = site.path('linod.config.ts');
  await typescript(
    `export default {\n  name: 'test',,\n};\n`,
    `linod.config.ts: cannot be read: ParseError: Unexpected token, at ${place}:2:15`,
  );
  await typescript(
    `export const site = { name: 'test' };\n`,
    'linod.config.ts: expected `export default defineSite({ … })`',
  );
  await typescript(
    `export default { name: siteName };\n`,
    `linod.config.ts: cannot be read: ReferenceError: siteName is not defined, at ${place}:1`,
  );
  await typescript(
    `import './nowhere.js';\nexport default { name: 'test' };\n`,
    /: linod\.config\.ts: cannot be read: .*Cannot find module '.\/nowhere\.js'/,
  );
});

t.test('wrong procedures are told, with their files', async (t) => {
  const site = new LiveSite(t, { procedures: ['procedures', 'reports.ts'] });
  const refuse = async (message: string) => {
    const pattern = message.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const ended = await site.run('linod', 'procedures');
    t.match(ended, { code: 2, stderr: new RegExp(`^linod: ${pattern}\n$`) });
  };
  for (const [script, ...args] of [
    ['linod', 'procedures'],
    ['runworker', site.channel],
  ] as const) {
    const message = `procedures: no file or directory ${site.path('reports.ts')}`;
    await expectRefusal(t, site, message, { script, args });
  }
  site.write({
    'procedures/nightly.ts': `import { scheduleDaily } from 'linod';\n\nscheduleDaily(function report() {});\n`,
    'reports.ts': `import { scheduleDaily } from 'linod';\nscheduleDaily(function report() {});\n`,
  });
  await refuse(
    `reports.ts: cannot be loaded: DuplicateProcedureError: two procedures are named "report": one registered at ${site.path('procedures/nightly.ts')}:3, one at ${site.path('reports.ts')}:2; give one of them another name: scheduleDaily({ name: '…' }, …)`,
  );
  site.write({
    'reports.ts': `import { scheduleDaily } from 'linod';\nscheduleDaily({ hour: 24 }, function audit() {});\n`,
  });
  await refuse(
    `reports.ts: cannot be loaded: InvalidProcedureError: procedure registered at ${site.path('reports.ts')}:2: expected hour to be a whole number from 0 to 23, got: 24`,
  );
  site.write({ 'reports.ts': `const x = ;\n` });
  await refuse(
    `reports.ts: cannot be loaded: ParseError: Unexpected token, at ${site.path('reports.ts')}:1:10`,
  );
  site.write({ 'reports.ts': `throw new Error('no data');\n` });
  await refuse(`reports.ts: cannot be loaded: no data, at ${site.path('reports.ts')}:1`);
});

t.test('a broken file of procedures stops neither the worker nor the procedures of the others', async (t) => {
  const procedure = (name: string) =>
    `import { scheduleOften } from 'linod';\nscheduleOften(function ${name}() {});\n`;
  const site = new LiveSite(t, {
    files: { 'procedures/good.ts': procedure('good'), 'procedures/other.ts': procedure('other') },
  });
  await site.run('linod', 'rules', 'sync');
  site.write({ 'procedures/other.ts': `${procedure('other').split('\n', 1)}\nconst n: number = nowhere;\n` });
  const told = `procedures/other.ts: cannot be loaded: ReferenceError: nowhere is not defined, at ${site.path('procedures/other.ts')}:2`;

  const worker = await site.startWorker('--initiate');
  await worker.printed((line) => line.includes(told));
  const { text } = await site.logged(/cannot be loaded/);
  t.match(text, told);
  t.match(await site.run('linod', 'rule', 'good', 'run', '--wait'), { code: 0, stdout: /done/ });
  const rules = await site.run('linod', 'rules');
  t.notMatch(rules.stdout, 'never runs', 'no rule is marked as one without a procedure');
  t.match(rules.stdout, /other/);

  t.match(await site.run('linod', 'rules', 'sync'), { code: 2, stdout: '', stderr: told });
  const listed = await site.run('linod', 'procedures');
  t.match(listed, { code: 2, stdout: /good/, stderr: `linod: ${told}\n` });
  t.notMatch(listed.stdout, 'other');
});

t.test('a database that cannot be used is told', async (t) => {
  const site = new LiveSite(t);
  const { db } = await site.store();
  const migrations = db.withTables<{ linod_migrations: { owner: string; name: string; ran_at: number } }>();
  await migrations
    .insertInto('linod_migrations')
    .values({ owner: 'linod', name: '9999-hyperspace', ran_at: 0 })
    .execute();
  const newer = `database ${site.path('linod.db')} has unknown migrations of linod: 9999-hyperspace; a newer version created it, or one from before the first release: update linod and restart its programs, or use another database`;
  await expectRefusal(t, site, newer, { code: 1 });
  await expectRefusal(t, site, newer, { code: 1, script: 'runworker', args: [site.channel] });
  await expectRefusal(t, site, newer, { code: 1, script: 'initiate_linod' });

  site.write({ 'notes.txt': 'This is no database, and long enough to be seen as none. '.repeat(100) });
  site.environment = { DATABASE_URL: 'sqlite:notes.txt' };
  const unusable = (name: string, why: string) => `cannot open the database ${site.path(name)}: ${why}`;
  await expectRefusal(t, site, unusable('notes.txt', 'file is not a database'), { code: 1 });
  site.environment = { DATABASE_URL: 'sqlite:procedures' };
  site.write({ 'procedures/README': '' });
  await expectRefusal(t, site, unusable('procedures', 'unable to open database file'), { code: 1 });
});

t.test('a native module that is not built is told with the command that mends it', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'unbuilt.cjs': `process.dlopen = () => {
        throw Object.assign(new Error('compiled against another Node\\nTry again'), { code: 'ERR_DLOPEN_FAILED' });
      };`,
    },
  });
  const nodeArgs = ['--require', site.path('unbuilt.cjs')];
  const mend = `better-sqlite3 is not built for Node ${process.versions.node}; rebuild it with: npm rebuild better-sqlite3\n`;
  const run = (environment: Record<string, string>, script: ScriptName, ...args: string[]) =>
    Program.start(t, scriptPath(script), args, { cwd: site.directory, nodeArgs, environment }).ended();
  const database = await run({}, 'linod');
  t.match(database, { code: 1, stderr: `linod: cannot open the database ${site.path('linod.db')}: ${mend}` });
  const layer = await run({}, 'linod', 'channels');
  t.match(layer, {
    code: 1,
    stderr: `linod: channel layer file "${site.path('channels.db')}" cannot be opened: ${mend}`,
  });
});

t.test('without a site commands say how to name or make one', async (t) => {
  const empty = testDirectory(t);
  const run = (script: ScriptName, args: readonly string[], environment: Record<string, string> = {}) =>
    Program.start(t, scriptPath(script), args, { cwd: empty, environment }).ended();
  const none = `no linod.config.ts, .js, .mjs or .json in ${empty}`;
  for (const [script, ...args] of [
    ['linod'],
    ['linod', 'rules'],
    ['initiate_linod'],
    ['runworker', 'linod_test'],
  ] as const) {
    t.strictSame(await run(script, args), {
      code: 2,
      signal: null,
      stdout: '',
      stderr: `${script}: ${none} or above it; name the site's directory, for example in LINOD_SITE, or make a site: linod init mysite\n`,
    });
  }
  t.match(await run('linod', ['--site', '.']), {
    code: 2,
    stderr: `linod: ${none}; make a site: linod init mysite\n`,
  });
  t.match(await run('linod', ['rules', '--site', 'nowhere']), {
    code: 2,
    stderr: `linod: no directory ${join(empty, 'nowhere')}\n`,
  });
  t.match(await run('linod', [], { LINOD_SITE: '/nowhere' }), {
    code: 2,
    stderr: 'linod: environment variable LINOD_SITE: no directory /nowhere\n',
  });
});

t.test('of a site that is switched off every command says so and ends with 0', async (t) => {
  const site = new LiveSite(t, { useLinod: false });
  const commands: ReadonlyArray<readonly [ScriptName, ...string[]]> = [
    ['linod'],
    ['linod', 'status', '--json'],
    ['linod', 'start'],
    ['linod', 'rule', '1', 'run', '--wait'],
    ['linod', 'log', 'tail', '-f'],
    ['linod', 'workers'],
    ['initiate_linod'],
    ['runworker', 'linod_test'],
  ];
  for (const [script, ...args] of commands) {
    t.strictSame(await site.run(script, ...args), {
      code: 0,
      signal: null,
      stdout: '',
      stderr:
        'linod is switched off for site test: useLinod is false in linod.config.json or LINOD_USE_LINOD\n',
    });
  }
});

t.test('a password is never printed', async (t) => {
  const server = await RedisServer.start(t, { args: ['--requirepass', 'opensesame'] });
  const site = new LiveSite(t);
  const urls = {
    right: `redis://:opensesame@127.0.0.1:${server.port}`,
    denied: `redis://me:closedsesame@127.0.0.1:${server.port}`,
    unreachable: 'redis://me:sesame@127.0.0.1:1',
    'no such database': 'redis://:sesame@127.0.0.1/x',
    'no such scheme': 'redsi://me:p@ss:w0rd-sesame@127.0.0.1',
    'in capitals': 'REDIS://me:sesame@127.0.0.1',
  };
  for (const [what, url] of Object.entries(urls)) {
    site.environment = { REDIS_URL: url };
    const { stdout, stderr } = await site.run('initiate_linod', '--timeout', '1');
    t.notMatch(stdout + stderr, 'sesame', what);
    t.not(stderr, '', what);
  }
  for (const value of [[urls.unreachable], { url: urls.unreachable }]) {
    site.environment = {};
    site.write({ 'linod.config.json': JSON.stringify({ name: 'test', channelLayer: value }) });
    t.notMatch((await site.run('linod')).stderr, 'sesame');
  }
  site.write({ 'linod.config.json': JSON.stringify({ name: 'test', shippedProcedures: false }) });
  const databases = {
    'mysql://me:sesame@127.0.0.1/site': 'got: "mysql://me:***@127.0.0.1/site"',
    'postgres://me:sesame@127.0.0.1:1/site': 'cannot open the database site at 127.0.0.1:1 as me: ',
    'postgres://me:sesame@127.0.0.1:x/site': 'databaseUrl: cannot be read: ',
  };
  for (const [url, message] of Object.entries(databases)) {
    site.environment = { DATABASE_URL: url };
    const { stderr } = await site.run('linod');
    t.match(stderr, message);
    t.notMatch(stderr, 'sesame');
  }

  for (const url of [urls.right, urls.denied]) {
    site.environment = { REDIS_URL: url };
    const worker = await site.startWorker('--initiate');
    if (url === urls.denied) await worker.printed(/ERROR the channel layer is away/);
    worker.kill('SIGUSR2');
    await site.logged(/^status/);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    t.match(worker.lines.join('\n'), /channel layer +redis:\/\/(me)?:\*\*\*@127/);
    t.notMatch(worker.lines.join('\n'), 'sesame');
  }
  t.notMatch(JSON.stringify(await site.records()), 'sesame');
});
