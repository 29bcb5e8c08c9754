// The commands: wrong words, help, versions, JSON, and what a pipe gets.

import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import t, { type Test } from 'tap';
import { procedureCommands } from '../../procedures/commands/index.js';
import { queueMail } from '../../procedures/index.js';
import { version } from '../../src/base/version.js';
import { linodProgram } from '../../src/commands/linod.js';
import { initiateCommand } from '../../src/commands/start/initiate.js';
import { runworkerCommand } from '../../src/commands/start/runworker.js';
import { ruleFields } from '../../src/rules/rule-fields.js';
import { loadSite } from '../../src/site/site.js';
import { CommandShell, type Outcome } from '../support/command-shell.js';
import { badHabits, differences, documentedJson } from '../support/json-docs.js';
import { LiveSite } from '../support/live-site.js';
import { type Ended, type ScriptName, scriptPath } from '../support/programs.js';

const files = {
  'procedures/garden.ts': `import { type BaseRequest, scheduleDaily } from 'linod';
scheduleDaily(async function water_plants(ar: BaseRequest) {
  ar.info('the plants have been watered', { cans: 2 });
});
scheduleDaily({ onFailure: 'continue' }, async function feed_dragon() {
  throw new Error('there is no dragon');
});
`,
};

function runAlone(site: LiveSite, line: string): Promise<Ended> {
  const [script, ...args] = line.split(' ');
  return site.run(script as ScriptName, ...args);
}

/** Runs a command line such as `linod rule 1`; nothing that it prints into a pipe may have escape codes. */
async function run(t: Test, where: LiveSite | CommandShell, line: string): Promise<Outcome> {
  const ended = await (where instanceof CommandShell ? where.run(line) : runAlone(where, line));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
  t.notMatch(ended.stdout + ended.stderr, /\x1b/, `no escape codes: ${line}`);
  return ended;
}

t.test('wrong words are told in one line, with exit code 2', async (t) => {
  const site = new LiveSite(t, { files });
  await site.linod('rules', 'sync');
  const level = 'expected a log level (DEBUG, INFO, WARNING, ERROR, CRITICAL)';
  const wallTime = 'a date of the calendar and a time of day without a zone, such as 2024-01-03T10:00:00';
  const wrong: Record<string, string> = {
    'linod rul': 'linod: there is no command "rul", did you mean "rule"?',
    'linod --nosuch': "error: unknown option '--nosuch'",
    'linod rules synk': 'linod: there is no command "synk", did you mean "sync"?',
    'linod status more': "error: too many arguments for 'status'. Expected 0 arguments but got 1.",
    'linod rule': "error: missing required argument 'rule'",
    'linod rule one': 'linod: expected the number or the name of a rule, got: "one"; linod rules lists them',
    'linod rule 99': 'linod: no job rule 99; there are 1, 2',
    'linod rule 99 run': 'linod: no job rule 99; there are 1, 2',
    'linod rule 99 set every=2': 'linod: no job rule 99; there are 1, 2',
    'linod rule 1 sett x=1': 'linod: a rule cannot "sett", did you mean "set"?',
    'linod rule 1 explode':
      'linod: a rule cannot "explode"; it can show, next, set, run, debug, stop, cancel, resume, history, undo',
    'linod rule 1 run fast': 'linod: run takes no further words, got: fast',
    'linod rule 1 run --args {fix:false}':
      "linod: --args is no JSON, line 1: Expected property name or '}' in JSON at position 1",
    'linod rule 1 stop --wait': 'linod: stop takes no --wait: it goes with run',
    'linod rule 1 run --count 3': 'linod: run takes no --count: it goes with next',
    'linod rule 1 --args 3': 'linod: show takes no --args: it goes with run',
    'linod rule 1 resume': 'linod: job rule 1 is not cancelled',
    'linod rule 1 set':
      'linod: expected what to set, as in: linod rule 3 set every=2 everyUnit=hourly, or: linod rule 3 set when every 2 hours',
    'linod rule 1 set every': 'linod: expected FIELD=VALUE, got: "every"',
    'linod rule 1 set evry=2': 'linod: a job rule has no field "evry", did you mean "every"?',
    'linod rule 1 set every=0': 'linod: expected every to be a positive whole number, got: 0',
    'linod rule 1 set every=x': 'linod: expected every to be a number, got: "x"',
    'linod rule 1 set everyUnit=dayly':
      'linod: expected everyUnit to be one of secondly, minutely, hourly, daily, weekly, monthly, yearly, easterly, cron, got: "dayly", did you mean "daily"?',
    'linod rule 1 set weekdays=mon':
      'linod: expected weekdays[0] to be one of monday, tuesday, wednesday, thursday, friday, saturday, sunday, got: "mon", did you mean "monday"?',
    'linod rule 1 set positions=1':
      'linod: expected positions to be empty where everyUnit is daily, got: [1]',
    'linod rule 1 set startDatetime=tomorrow':
      'linod: expected startDatetime to be a wall time such as 2024-01-03T10:00:00, or one that leaves the day open: T10:00:00, ---15T10:00:00 (the 15th), --12-24T10:00:00 (24 December), easter-2T10:00:00, got: "tomorrow"',
    'linod rule 1 set startDatetime=--02-30T10:00':
      'linod: expected startDatetime to be a day that the calendar has, got: "--02-30T10:00"',
    'linod rule 1 set timeout=10': 'linod: a job rule has no field "timeout", did you mean "timeoutSeconds"?',
    'linod rule 1 set memoryMb=1':
      'linod: expected memoryMb to be 0 for no limit, or a whole number of MiB from 16, with which a site can be loaded, to 1000000, got: 1',
    'linod rule 1 set until=soon': `linod: expected until to be ${wallTime}, got: "soon"`,
    'linod rule 1 set timezone=Mars':
      'linod: expected timezone to be the IANA name of a time zone, such as Europe/Tallinn, got: "Mars"',
    'linod rule 1 set count=-1': 'linod: expected count to be a positive whole number, got: -1',
    'linod rule 1 set logLevel=LOUD': `linod: ${level}, got: "LOUD"`,
    'linod rule 1 set onFailure=panic':
      'linod: expected onFailure to be one of cancel, continue, retry, got: "panic"',
    'linod rule 1 set timeoutSeconds=0':
      'linod: expected timeoutSeconds to be a number of seconds from 0.001 to 2000000, or a time such as 90s, 15m, 1h30m or 2d, got: 0',
    'linod job 99': 'linod: no job 99; `linod jobs` lists the newest',
    'linod job cancel 99': 'linod: no job 99; `linod jobs` lists the newest',
    'linod job cancel 1 --timeout 0':
      'linod: expected --timeout to be a number of seconds above 0 and at most 86400, or a time such as 90s, 15m, 1h30m or 2d, got: "0"',
    'linod job x': 'linod: expected the number of a job to be a positive whole number, got: "x"',
    'linod jobs --limit 0': 'linod: expected --limit to be a positive whole number, got: "0"',
    'linod jobs --rule x':
      'linod: expected the number or the name of a rule, got: "x"; linod rules lists them',
    'linod rule 1 set excluded=sat,saterday':
      'linod: expected excluded to be a list of weekdays (sat), days of every year (12-25, easter+1), dates (2026-12-24), ranges of these (12-24..01-02) or times of day (09:00-17:00, mon-fri 22:00-06:00), got: "saterday", did you mean "saturday"?',
    'linod rule 1 set when yearly on 30 February':
      'linod: expected when to be a day that the calendar has, got: "yearly on 30 February"',
    'linod jobs --status sad':
      "error: option '--status <status...>' argument 'sad' is invalid. Allowed choices are running, done, failed, cancelled, timeout, lost.",
    'linod log tail -n x': 'linod: expected -n to be a whole number, got: "x"',
    'linod log tail --level LOUD': `linod: ${level}, got: "LOUD"`,
    'linod log tail --job x': 'linod: expected --job to be a positive whole number, got: "x"',
    'linod log tail --grep /(/':
      'linod: expected --grep to be text or a pattern such as /refund(ed)?/i: Invalid regular expression: /(/: Unterminated group',
    'linod log tail --grep /a/g': 'linod: expected the flags of --grep to be of i, m, s and u, got: "g"',
    'linod log verify absent.log': `linod: there is no log file ${site.path('absent.log')}`,
    'linod simulate --to soon':
      'linod: expected --to to be a date (2026-11-24), a date and a time (2026-11-24T20:00, with a zone as in …+02:00 or Z, else in the site\'s), a time of today (20:00) or how long after the beginning (12h, 90d), got: "soon"',
    'linod log tial': "error: unknown command 'tial'\n(Did you mean tail?)",
    'linod init': "error: missing required argument 'directory'",
    'linod init Big':
      'linod: expected the site\'s name to be a lower-case letter followed by at most 39 lower-case letters, digits, "_" or "-", got: "Big"; give one with --name',
    'linod init . --name test': `linod: ${site.directory} already has a linod.config file; nothing was written`,
    'linod init /proc/nowhere':
      "linod: cannot make a site in /proc/nowhere: ENOENT: no such file or directory, mkdir '/proc/nowhere'",
    'linod init application.mjs/inner': `linod: cannot make a site in ${site.path('application.mjs/inner')}: ENOTDIR: not a directory, mkdir '${site.path('application.mjs/inner')}'`,
    'linod rules --site': "error: option '--site <dir>' argument missing",
    runworker: "error: missing required argument 'channel'",
    'runworker linod_tset':
      'runworker: site test has no consumer for channel "linod_tset", did you mean "linod_test"?',
    'runworker chat': 'runworker: site test has no consumer for channel "chat"; it has linod_test',
    'runworker linod_test --grace soon':
      'runworker: expected --grace to be a number of seconds from 0 to 86400, or a time such as 90s, 15m, 1h30m or 2d, got: "soon"',
    'runworker linod_test --concurrency 0':
      'runworker: expected --concurrency to be a positive whole number, got: "0"',
    'runworker linod_test --concurrency 1001':
      'runworker: the command line: maxJobs: expected a whole number from 1 to 1000, got: 1001',
    'runworker linod_test --colour': "error: unknown option '--colour'",
    'initiate_linod --timeout 0':
      'initiate_linod: expected --timeout to be a number of seconds above 0 and at most 3600, or a time such as 90s, 15m, 1h30m or 2d, got: "0"',
    'initiate_linod now': 'error: too many arguments. Expected 0 arguments but got 1.',
  };
  const shell = await CommandShell.start(t, site.directory);
  for (const [line, message] of Object.entries(wrong)) {
    const { code, stdout, stderr } = await run(t, shell, line);
    t.strictSame({ code, stdout, stderr }, { code: 2, stdout: '', stderr: `${message}\n` }, line);
  }
});

/** All commands by their words. */
function commandsOf(command: Command, path = command.name()): Array<[line: string, command: Command]> {
  const below = command.commands.flatMap((child) => commandsOf(child, `${path} ${child.name()}`));
  return [[path, command], ...below];
}

const programs = [linodProgram(procedureCommands()), runworkerCommand(), initiateCommand()];
const all = programs.flatMap((program) => commandsOf(program));

t.test('the help of every command describes it and shows an example', async (t) => {
  const shell = await CommandShell.start(t, new LiveSite(t).directory);
  for (const [line, command] of all) {
    const { code, stdout, stderr } = await run(t, shell, `${line} --help`);
    t.match({ code, stderr }, { code: 0, stderr: '' }, line);
    t.match(stdout, /^Usage: /);
    t.not(command.description(), '');
    t.match(stdout.replaceAll(/\s+/g, ' '), command.description());
    t.match(stdout, /\nExample:\n {2}\$ \w/, `${line} has an example`);
    for (const option of command.options) t.match(stdout, option.long ?? '');
    t.same(
      stdout.split('\n').filter((text) => text.length > 80),
      [],
      'it fits 80 columns',
    );
  }
  t.ok(all.length >= 36, 'and none is forgotten');
});

t.test('the help of rule lists every field that can be set, with its values', async (t) => {
  const shell = await CommandShell.start(t, new LiveSite(t).directory);
  const { stdout } = await shell.run('linod rule set --help');
  for (const field of ['when', 'name', ...ruleFields.keys()]) t.match(stdout, `\n  ${field}: `);
  t.match(stdout, /\n {2}overlap: one of skip, queue-one, allow, cancel-previous\n/);
});

t.test('a program of its own says and ends as the same words do among others in one process', async (t) => {
  const site = new LiveSite(t);
  const shell = await CommandShell.start(t, site.directory);
  for (const line of ['linod rul', 'linod --help', 'runworker', 'initiate_linod now', 'linod rule 99']) {
    const { code, stdout, stderr } = await runAlone(site, line);
    t.strictSame(await shell.run(line), { code, stdout, stderr }, line);
  }
});

t.test('every program tells its version', async (t) => {
  const site = new LiveSite(t);
  for (const line of ['linod', 'runworker', 'initiate_linod']) {
    t.match(await run(t, site, `${line} --version`), { code: 0, stdout: `${version}\n`, stderr: '' });
  }
});

t.test('with --json stdout is JSON and nothing else', async (t) => {
  const site = new LiveSite(t, { files });
  site.write({ 'rules.json': '{"version":1,"rules":[]}' });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run', '--wait');
  await site.logged(/watered/);
  await site.linod('channels', 'send', 'mail', '--type', 'mail.send', '--json');
  const mail = await queueMail((await site.store()).db, {
    to: 'ann@example.org',
    subject: 'Order 17',
    text: 'Thank you.',
  });
  /** For each command with --json a command line, and what it prints. */
  const rule = { id: 1, procedure: 'water_plants', every: 1, everyUnit: 'daily', overridden: Array };
  const job = { id: 1, ruleId: 1, status: 'done', startDatetime: /^20\d\d-.*Z$/, message: /^done in/ };
  const examples: Record<string, [words: string, expected: unknown]> = {
    // First, since a message is kept for a minute only.
    'linod channels': ['', { at: /^20.*Z$/, channels: Array }],
    'linod channels peek': ['mail', [{ channels: ['mail'], message: { type: 'mail.send' } }]],
    'linod channels send': ['fax {"type":"fax.send"}', { channel: 'fax' }],
    'linod channels groups': ['linod_test.workers', [{ group: 'linod_test.workers', members: [{}] }]],
    linod: ['', { site: 'test', rules: [rule, { id: 2 }], workers: [{ pid: worker.pid }] }],
    'linod init': ['another', { name: 'another', files: Array }],
    'linod status': ['', { site: 'test', started: ['log.server', 'run.system.tasks'] }],
    'linod rules': ['', [rule, { id: 2 }]],
    'linod rules sync': ['', { created: [], removed: [] }],
    'linod rules plan': ['rules.json', { digest: /^[0-9a-f]{12}$/, rules: [], notInFile: [String, String] }],
    'linod rules apply': ['rules.json', { digest: /^[0-9a-f]{12}$/, rules: [] }],
    'linod rule': ['1', { ...rule, jobs: [job] }],
    'linod jobs': ['', [job]],
    'linod job': ['1', { ...job, lines: [{ level: 'INFO', text: /watered \{"cans":2\}$/ }] }],
    'linod simulate': ['', { elapsedMs: Number }],
    'linod why': ['1', { rule: { id: 1 }, entries: Array, next: Array, blockers: [] }],
    'linod job cancel': ['1', { job: 1, request: null, ended: true, status: 'done' }],
    'linod procedures': ['', [{ value: 'water_plants', source: /garden\.ts:2$/ }, { name: 'feed_dragon' }]],
    'linod log tail': ['-n 3', undefined],
    'linod log stats': [
      '',
      { records: Number, levels: Array, loggers: Array, senders: Array, lost: [], strays: 0 },
    ],
    'linod log verify': ['', { isSound: true, files: [{ path: site.logFile }], senders: Array, faults: [] }],
    'linod workers': [
      '',
      [{ pid: worker.pid, channels: ['linod_test'], procedures: ['water_plants', 'feed_dragon'] }],
    ],
    'linod sockets': ['', []],
    'linod console user list': ['', []],
    'linod checkdata': ['', []],
    'linod checksummaries': ['', []],
    'linod log level': ['', [{ logger: 'root', level: 'INFO', until: null, by: 'settings' }]],
    'linod mail queue': ['', [{ id: mail, state: 'queued' }]],
    'linod mail retry': ['--all', { retried: [] }],
    'linod mail preview': [String(mail), { id: mail, subject: 'Order 17' }],
    'linod push queue': ['', []],
    'linod push list': ['', []],
    'linod push keys': ['', { vapidPublicKey: String, vapidPrivateKey: String }],
    'linod backup': ['backup.tar.gz', { file: site.path('backup.tar.gz'), hasMessages: true }],
    'linod migrate': ['', { database: site.path('linod.db'), migrated: [] }],
    initiate_linod: ['', { answered: [{ already: true }, { already: true }] }],
  };
  // They need a subscriber, a lease, a socket, a worker's id, or no worker. The doctor may find something.
  const elsewhere = [
    'linod push send',
    'linod channels dead',
    'linod channels redrive',
    'linod sockets close',
    'linod workers drain',
    'linod workers pause',
    'linod workers resume',
    'linod alarms',
    'linod alarms test',
    'linod doctor',
    'linod restore',
    'linod move',
  ];
  const withJson = all.filter(
    ([line, command]) => !elsewhere.includes(line) && command.options.some(({ long }) => long === '--json'),
  );
  t.same(new Set(Object.keys(examples)), new Set(withJson.map(([line]) => line)), 'no command is left out');
  const further: Record<string, [words: string, expected: unknown]> = {
    'linod rule 1 set': ['every=2', { id: 1, every: 2, overridden: ['every'] }],
    'linod rule 1 undo': ['', { every: 1, overridden: [] }],
    'linod rule 1 cancel': ['', { cancelledReason: /^by / }],
    'linod rule 1 resume': ['', { cancelledReason: null }],
    'linod rule 1 history': ['', [{ revision: 0, how: 'sync' }]],
    'linod rule 1 stop': [
      '',
      { request: Number, rule: 1, action: 'stop', worker: true, outcome: 'nothing was running' },
    ],
    'linod rule 1 run': ['', { request: Number, rule: 1, action: 'run', outcome: 'run', job: { ruleId: 1 } }],
    'linod rule 1 run --wait': ['', { status: 'done', ruleId: 1 }],
  };
  const documented = documentedJson();
  t.same(
    new Set(documented.keys()),
    new Set([...Object.keys(examples), ...Object.keys(further), ...elsewhere]),
    'docs/reference/json.md has each of them',
  );
  // That a program of its own prints the same is claimed above.
  const shell = await CommandShell.start(t, site.directory);
  for (const [command, [words, expected]] of Object.entries({ ...examples, ...further })) {
    const { code, stdout, stderr } = await run(t, shell, `${command} ${words} --json`.replaceAll(/ +/g, ' '));
    t.match({ code, stderr }, { code: 0, stderr: '' }, command);
    const lines = stdout.trim().split('\n');
    if (expected !== undefined) t.match(JSON.parse(lines.join()), expected, command);
    t.equal(lines.length, expected === undefined ? 3 : 1, 'a line in a pipe');
    for (const line of lines) {
      const printed = JSON.parse(line);
      t.same(badHabits(printed), [], command);
      t.same(differences(documented.get(command), printed), [], `${command} is as documented`);
    }
  }
  const failed = await run(t, site, 'linod rule 2 run --wait --json');
  t.equal(failed.code, 1);
  t.match(JSON.parse(failed.stdout), { status: 'failed', message: /^Error: there is no dragon\n/ });
});

t.test('data goes to stdout and talk to stderr', async (t) => {
  const site = new LiveSite(t, { files });
  t.match(await run(t, site, 'linod'), {
    stdout: /^$/,
    stderr:
      'no job rules yet: a worker makes them when it starts, or `linod rules sync` does\nno worker is running: runworker linod_test\n',
  });
  t.match(await run(t, site, 'linod rules sync'), {
    stdout: 'created water_plants\ncreated feed_dragon\n',
    stderr: '',
  });
  t.match(await run(t, site, 'linod rules sync'), {
    stdout: /^$/,
    stderr: 'nothing to do: the rules fit the procedures\n',
  });
  t.match(await run(t, site, 'linod rules'), {
    stdout:
      /^# {2}name {10}procedure {5}every {4}next run at {16}when\n1 {2}water_plants {2}water_plants {2}1 daily {2}20\S+ {2}every day at 20:00\n/,
    stderr: /^$/,
  });
  t.match(await run(t, site, 'linod jobs'), { code: 0, stdout: /^$/, stderr: 'no jobs\n' });
  t.match(await run(t, site, 'linod rule 1 run'), {
    code: 0,
    stdout: 'request 1: run Job rule #1 <Procedures.water_plants every 1 daily>\n',
    stderr: 'no worker is running; request 1 waits for one: runworker linod_test\n',
  });
  t.match(await run(t, site, 'linod log tail'), {
    code: 0,
    stdout: /^$/,
    stderr: /^there is no log\/lino\.log yet: /,
  });
});

t.test('initiate_linod tells what was answered, and of what nothing was heard', async (t) => {
  const site = new LiveSite(t);
  const layer = await (await loadSite(site.directory, { environment: {} })).openLayer();
  t.teardown(() => layer.close());
  const initiate = site.start('initiate_linod', '--timeout', '10');
  const [asked] = await Promise.all([layer.receive(site.channel), layer.receive(site.channel)]);
  const answer = { type: 'linod.started', coroutine: asked.type, already: false, worker: 'w1' };
  await layer.send(String(asked.reply_channel), answer);
  t.match(await initiate.ended(), {
    code: 1,
    stdout: 'log.server started in worker w1\n',
    stderr: /^initiate_linod: no worker answered about run\.system\.tasks within 10 s; the order is kept/,
  });
});

t.test('initiate_linod without a worker says how to start one, and its order is kept', async (t) => {
  const site = new LiveSite(t, { files });
  t.match(await run(t, site, 'initiate_linod --timeout 3'), {
    code: 1,
    stdout: /^$/,
    stderr:
      'initiate_linod: no worker answered within 3 s; the order is kept: a running worker follows it within 5 s, another when it starts: runworker linod_test\n',
  });
  const { code, stdout } = await run(t, site, 'initiate_linod --timeout 1 --json');
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { answered: [], error: 'no worker answered within 1 s' });
  await site.linod('rule', '1', 'run').catch(() => undefined);
  const worker = await site.startWorker();
  t.match(worker.lines.join('\n'), /started +log\.server, run\.system\.tasks/);
  await site.linod('rule', '1', 'run', '--wait');
  await site.logged(/^the plants have been watered/);
});

const hasTerminal = spawnSync('script', ['--version']).status === 0;

t.test(
  'a terminal gets colours, unless NO_COLOR is set',
  { skip: hasTerminal ? false : 'script(1) is not there to make a terminal' },
  async (t) => {
    const site = new LiveSite(t, { files });
    await site.linod('rules', 'sync');
    const onTerminal = (environment: Record<string, string>) =>
      spawnSync('script', ['-qec', `${process.execPath} ${scriptPath('linod')} rules`, '/dev/null'], {
        cwd: site.directory,
        env: { PATH: process.env.PATH, TERM: 'xterm', ...environment },
        encoding: 'utf8',
      }).stdout;
    t.match(onTerminal({}), '\x1b[1m#  name');
    t.match(onTerminal({ NO_COLOR: '1' }), /^# {2}name/);
    t.match(onTerminal({ TERM: 'dumb' }), /^# {2}name/);
  },
);
