// Documents name files of this repository and link to each other; what they name exists, and the index has them all.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { root } from './support/written-docs.js';

const documents = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...documents];

interface Link {
  /** From the root. */
  readonly path: string;
  /** The heading in it; empty for none. */
  readonly anchor: string;
}

function linksOf(page: string): Link[] {
  const links = markdownOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g);
  return Array.from(links, ([, path = '', anchor = '']) => ({
    path: path === '' ? page : relative(root, join(root, page, '..', path)),
    anchor,
  }));
}

/** Without code, in which nothing is a link or a heading. */
function markdownOf(page: string): string {
  return readFileSync(join(root, page), 'utf8').replace(/^[ \t]*```.*?^[ \t]*```$/gms, '');
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return Array.from(markdownOf(page).matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

for (const page of pages) {
  t.test(`${page} names files, folders and headings that exist`, async (t) => {
    const room =
      /`((?:channels|docs|procedures|scripts|src|test)\/[\w./-]+\/|(?:channels|docs|procedures|scripts|src|test)\/[\w./-]+\.\w+)`/g;
    const named = Array.from(readFileSync(join(root, page), 'utf8').matchAll(room), ([, path = '']) => path);
    const links = linksOf(page);
    const paths = [...named, ...links.map(({ path }) => path)];
    t.same(
      paths.filter((path) => !existsSync(join(root, path))),
      [],
      'files and folders',
    );
    const headings = links.filter(({ path, anchor }) => anchor !== '' && path.endsWith('.md'));
    t.same(
      headings.filter(
        ({ path, anchor }) => existsSync(join(root, path)) && !anchorsOf(path).includes(anchor),
      ),
      [],
      'headings',
    );
  });
}

t.test('docs/README.md links to every document', async (t) => {
  const linked = new Set(linksOf('docs/README.md').map(({ path }) => path));
  t.same(
    documents.filter((page) => page !== 'docs/README.md' && !linked.has(page)),
    [],
  );
});
