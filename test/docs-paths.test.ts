// Pages name files of this repository; what they name exists.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..');
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

for (const page of pages) {
  t.test(`${page} names files and folders that exist`, async (t) => {
    const markdown = readFileSync(join(root, page), 'utf8');
    const room =
      /`((?:channels|docs|procedures|scripts|src|test)\/[\w./-]+\/|(?:channels|docs|procedures|scripts|src|test)\/[\w./-]+\.\w+)`/g;
    const links = /\]\((?!https?:|#)([^)#]+)[^)]*\)/g;
    const named = Array.from(markdown.matchAll(room), ([, path = '']) => join(root, path));
    const linked = Array.from(markdown.matchAll(links), ([, path = '']) => join(root, page, '..', path));
    const missing = [...named, ...linked].filter((path) => !existsSync(path));
    t.same(missing, []);
  });
}
