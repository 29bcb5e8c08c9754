// The folders import in one direction only: scripts → src → channels, procedures → src's public API.

import { readdirSync, readFileSync } from 'node:fs';
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
    'channels/server/proxies.ts',
    'channels/communicators.ts',
    'channels/testing.ts',
    'channels/beat.ts',
  ],
  procedures: ['src/index.ts', 'src/commands.ts', 'channels/index.ts'],
  scripts: ['src/', 'channels/', 'procedures/index.ts', 'procedures/commands/index.ts'],
};

/** The daemon's one way to the procedures that ship: as a plug-in, when a site asks for it by its name. */
const plugIn: Import = { from: 'src/site/load-module.ts', to: 'procedures/index.ts' };

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function imports(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']+)'/g)];
  return found.map(([, path = '']) => ({
    from: file,
    to: normalize(join(dirname(file), path.replace(/\.js$/, '.ts'))),
  }));
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
          ({ from, to }) =>
            !(from === plugIn.from && to === plugIn.to) &&
            !to.startsWith(`${room}/`) &&
            !others.some((other) => (other.endsWith('/') ? to.startsWith(other) : to === other)),
        );
      t.same(wrong, []);
    },
  );
}

t.test('no file imports another in a circle', async (t) => {
  const graph = new Map<string, string[]>();
  for (const file of Object.keys(allowed).flatMap(sources)) {
    // Types vanish, and what is imported by a call is loaded when the program runs: neither makes a circle.
    const text = readFileSync(join(root, file), 'utf8')
      .replace(/import type [^;]*;/g, '')
      .replace(/\bimport\('[^']*'\)/g, '');
    const found = [...text.matchAll(/\bfrom\s*'(\.[^']+)'/g)].map(([, path = '']) =>
      normalize(join(dirname(file), path.replace(/\.js$/, '.ts'))),
    );
    graph.set(file, found);
  }
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  t.same(circles, []);
});
