// The rooms import in one direction only, and no file imports another in a circle.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..');

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Which files a room may import besides its own; a file, or a folder with its final slash. */
const allowed: Record<string, readonly string[]> = {
  channels: [],
  src: [
    'channels/index.ts',
    'channels/server/index.ts',
    'channels/server/options.ts',
    'channels/server/request/proxies.ts',
    'channels/communicators.ts',
    'channels/testing.ts',
    'channels/tracing/peer.ts',
    'channels/waiting/beat.ts',
  ],
  procedures: ['src/index.ts', 'src/commands/index.ts', 'channels/index.ts'],
  scripts: ['src/', 'channels/', 'procedures/index.ts', 'procedures/commands/index.ts'],
};

/** The rooms of the daemon. A file imports its own room, and rooms of the lines above. */
const order: ReadonlyArray<readonly string[]> = [
  ['base'],
  ['recurrence'],
  ['site'],
  ['store'],
  ['tracing'],
  ['log'],
  ['membership'],
  ['rules'],
  ['runs'],
  ['scheduler'],
  ['actors'],
  ['consumers', 'insight'],
  ['http'],
  ['alarms', 'metrics', 'health'],
  ['console'],
  ['backup', 'doctor'],
  ['daemon'],
  ['testing'],
  ['commands'],
];

/** What package.json exports of src/, and what lies in no room for that reason. */
const entryPoints = ['src/index.ts', 'src/testing.ts'];

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));
}

/** All imports of a file, also of types only, and those that are made while the program runs. */
function imports(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']+)'/g)];
  return found.map(([, path = '']) => ({ from: file, to: sourceOf(join(dirname(file), path)) }));
}

/** The source of what is imported as `.js`. */
function sourceOf(path: string): string {
  const source = normalize(path.replace(/\.js$/, '.ts'));
  return existsSync(join(root, source)) || !existsSync(join(root, `${source}x`)) ? source : `${source}x`;
}

for (const [room, others] of Object.entries(allowed)) {
  t.test(
    `${room} imports its own files${others.length > 0 ? ` and ${others.join(', ')}` : ''} only`,
    async (t) => {
      const files = sources(room);
      t.ok(files.length > 0, 'there are files');
      const wrong = files
        .flatMap(imports)
        .filter(
          ({ to }) =>
            !to.startsWith(`${room}/`) &&
            !others.some((other) => (other.endsWith('/') ? to.startsWith(other) : to === other)),
        );
      t.same(wrong, []);
    },
  );
}

/** Where a file's room stands in the order; -1 for what is in none. */
function levelOf(file: string): number {
  const [, room = ''] = /^src\/([^/]+)\//.exec(file) ?? [];
  return order.findIndex((rooms) => rooms.includes(room));
}

t.test('each file of src is in a room, but for the entry points', async (t) => {
  const outside = sources('src').filter((file) => levelOf(file) === -1);
  t.same(outside.sort(), entryPoints);
});

t.test('the rooms of src import in one direction', async (t) => {
  const roomOf = (file: string) => file.split('/').slice(0, 2).join('/');
  const wrong = sources('src')
    .filter((file) => !entryPoints.includes(file))
    .flatMap(imports)
    .filter(({ to }) => to.startsWith('src/'))
    .filter(({ from, to }) => roomOf(from) !== roomOf(to))
    .filter(({ from, to }) => entryPoints.includes(to) || levelOf(to) >= levelOf(from));
  t.same(wrong, []);
});

t.test('the page of the console shares the types of its API with the server, and nothing else', async (t) => {
  const page = 'src/console/page/';
  const all = sources('src').flatMap(imports);
  const inside = all.filter(({ from }) => from.startsWith(page));
  t.ok(inside.length > 0, 'there are imports');
  t.same(
    inside.filter(({ to }) => !to.startsWith(page) && to !== 'src/console/api.ts'),
    [],
  );
  t.same(
    all.filter(({ from, to }) => to.startsWith(page) && !from.startsWith(page)),
    [],
  );
});

t.test('no file imports another in a circle, not even its types, or while the program runs', async (t) => {
  const files = Object.keys(allowed).flatMap(sources);
  t.same(circles(new Map(files.map((file) => [file, imports(file).map(({ to }) => to)]))), []);
});

t.test('the finder of circles finds them', async (t) => {
  const graph = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['a']],
    ['d', ['c']],
    ['e', ['a']],
  ]);
  t.same(circles(graph), ['a → b → c → a']);
});

/** Circles of a graph as `a → b → a`: at least one of each group of files that import each other. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
