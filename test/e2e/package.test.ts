// The package as users get it: packed from the sources alone, unpacked among its dependencies, imported and run.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { testDirectory } from '../support/directory.js';
import { Program } from '../support/programs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest: {
  dependencies: Record<string, string>;
  bin: Record<string, string>;
  exports: object;
  scripts: Record<string, string>;
} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const temporary = testDirectory(t);

/**
 * The sources with the packages that are needed to build them. The declarations are there already: `npm test` makes them when
 * it checks the types, and making them anew would check all types once more.
 */
function copySources(): string {
  const copy = join(temporary, 'sources');
  mkdirSync(copy);
  const left = ['.git', '.tap', 'node_modules', 'test'];
  for (const name of readdirSync(root).filter((name) => !left.includes(name))) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(realpathSync(join(root, 'node_modules')), join(copy, 'node_modules'));
  return copy;
}

/** What `npm install` of the tarball would do, with the dependencies that are installed here already. */
function install(tarball: string): string {
  const project = join(temporary, 'project');
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', modules]);
  execFileSync('mv', [join(modules, 'package'), join(modules, 'linod')]);
  for (const [name, path] of Object.entries(manifest.bin)) {
    chmodSync(join(modules, 'linod', path), 0o755);
    symlinkSync(join('..', 'linod', path), join(modules, '.bin', name));
  }
  // `@types/node` is what every TypeScript project for Node has, and `winston-transport` every one with winston; all other
  // types have to come with the package.
  for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'winston-transport']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules', name)), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  return project;
}

const npm = (directory: string, ...args: string[]) =>
  execFileSync('npm', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const sources = copySources();
// What `npm pack` does before, but for the declarations.
npm(sources, 'run', '--silent', 'build', '--', '--no-types');
const [packed] = JSON.parse(
  npm(sources, 'pack', '--ignore-scripts', '--json', '--silent', '--pack-destination', temporary),
) as Array<{ filename: string; files: Array<{ path: string }> }>;
if (packed === undefined) throw new Error('npm pack told nothing');
const project = install(join(temporary, packed.filename));

t.test('the tarball has what is run and read, and nothing else', async (t) => {
  t.equal(manifest.scripts.prepack, 'npm run build', 'what is packed was built before');
  const paths = packed.files.map(({ path }) => path);
  const expected = [...Object.values(manifest.bin), 'LICENSE', 'CHANGELOG.md', 'package.json'];
  for (const path of expected) t.ok(paths.includes(path), path);
  t.ok(paths.includes('README.md'), 'README.md');
  t.ok(
    paths.some((path) => path.startsWith('docs/')),
    'the documentation',
  );
  t.ok(paths.includes('src/scheduler/decide.ts'), 'the sources, to which source maps lead');
  for (const path of paths) t.notMatch(path, /(^|\/)(test|node_modules|bench|demo)\/|\.tsbuildinfo$/);
});

t.test('every export can be imported', async (t) => {
  const names = Object.keys(manifest.exports).map((name) => name.replace('.', 'linod'));
  const code = `const names = ${JSON.stringify(names.filter((name) => !name.endsWith('.json')))};
for (const name of names) {
  const exported = Object.entries(await import(name));
  // A bundler may give a class another name; errors and consumers are told by it. QueryCreator is Kysely's.
  const isOwn = ([key, value]) => /^class /.test(String(value)) && key !== 'QueryCreator';
  const renamed = exported.filter((each) => isOwn(each) && each[1].name !== each[0]);
  console.log(name, exported.length > 0, renamed.map(([key, value]) => key + ' is called ' + value.name));
}
`;
  writeFileSync(join(project, 'imports.js'), code);
  const { stdout } = await Program.start(t, join(project, 'imports.js')).ended();
  t.equal(
    stdout,
    'linod true []\nlinod/channels true []\nlinod/log true []\nlinod/pino true []\nlinod/winston true []\nlinod/procedures true []\nlinod/server true []\nlinod/testing true []\n',
  );
});

t.test('a TypeScript project compiles against its types, all of them checked', async (t) => {
  writeFileSync(
    join(project, 'consumer.ts'),
    `import { defineSite, loadSite, scheduleDaily, type BaseRequest, type Job, Recurrence } from 'linod';
import { type ChannelLayer, Consumer, openLayer, Worker } from 'linod/channels';
import { createLogger, type Logger } from 'linod/log';
import pinoTransport, { type PinoTransportOptions } from 'linod/pino';
import * as procedures from 'linod/procedures';
import { LinodTransport } from 'linod/winston';
import * as testing from 'linod/testing';

export default defineSite({ name: 'mysite', maxJobs: 3 });

scheduleDaily({ hour: 3 }, async function report(ar: BaseRequest): Promise<void> {
  const count: number = (await ar.db.selectFrom('jobs').selectAll().execute()).length;
  ar.info('jobs', { count });
});

const logger: Logger = createLogger({ name: 'web' });
logger.info('hello', { port: 80 });
export const next: Date | null = Recurrence.from({ everyUnit: 'daily', every: 1, start: '2026-11-24T20:00:00', timezone: 'UTC' }).nextAfter(new Date());
export async function use(job: Job): Promise<void> {
  const layer: ChannelLayer = await openLayer('memory:');
  await layer.send('chat', { type: 'chat.message', text: job.message });
  const site = await loadSite('.');
  // @ts-expect-error a site has no such setting
  site.settings.nosuch;
}
const options: PinoTransportOptions = { name: 'web', redact: ['password'] };
export const streams = [pinoTransport(options), new LinodTransport({ name: 'web', level: 'silly' })];
export { Consumer, procedures, testing, Worker };
`,
  );
  const compilerOptions = {
    ...{ target: 'es2022', module: 'nodenext', strict: true, exactOptionalPropertyTypes: true },
    ...{ skipLibCheck: false, noEmit: true, types: ['node'] },
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['consumer.ts'] }),
  );
  const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
    encoding: 'utf8',
  });
  t.match(tsc, { status: 0, stdout: '' });
});

t.test('the installed programs tell the story', async (t) => {
  const npx = (...args: string[]) => npm(project, 'exec', '--no', '--', ...args);
  t.match(npx('linod', 'init', 'mysite'), 'mysite/linod.config.ts');
  writeFileSync(
    join(project, 'mysite', 'web.mjs'),
    `import { createLogger } from 'linod/log';
const logger = createLogger({ site: import.meta.dirname, name: 'web' });
logger.info('hello from the web');
await logger.close();
`,
  );
  const bin = (name: string) => join(project, 'node_modules', '.bin', name);
  const site = { cwd: join(project, 'mysite') };
  const worker = Program.start(t, bin('runworker'), ['linod_mysite'], site);
  await worker.printed(/is listening/);
  const initiated = await Program.start(t, bin('initiate_linod'), ['--timeout', '60'], site).ended();
  t.match(initiated, { code: 0, stdout: /^log\.server started in worker/ });
  t.match(await Program.start(t, join(site.cwd, 'web.mjs'), [], site).ended(), { code: 0 });
  t.match(npx('linod', '--site', 'mysite'), '<Procedures.hello every 1 minutely>');
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  t.match(npx('linod', 'log', 'tail', '--site', 'mysite'), /INFO web\[\d+\]#1 web: hello from the web/);
});
