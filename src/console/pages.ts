// The files of the page, as the build puts them into dist/console/, held in memory.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { HeaderList } from '../../channels/index.js';

/** Headers of every answer. A page of another site may neither frame the console nor open it in a group with itself. */
export const safeHeaders: HeaderList = [
  [
    'content-security-policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  ],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
];

/** What stands for the prefix in index.html: in the addresses of its files, and in `<html data-prefix>`. */
const prefixMark = '{{prefix}}';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

const placeholder = `<!doctype html>
<html lang="en" data-prefix="${prefixMark}"><title>linod</title>
<p>The page of the console is not built: <code>npm run build</code> builds it.</p></html>
`;

/** One file, ready to be sent. */
interface PageFile {
  readonly headers: HeaderList;
  readonly plain: Uint8Array;
  readonly gzip: Uint8Array;
  readonly etag: string;
}

export class Pages {
  readonly #files: ReadonlyMap<string, PageFile>;
  readonly #index: PageFile;

  /** @param prefix the path of the console without a slash at the end; empty for the root */
  constructor(prefix: string, directory = builtDirectory()) {
    const files = new Map<string, PageFile>();
    let index = Buffer.from(placeholder);
    for (const name of filesIn(directory)) {
      const content = readFileSync(join(directory, name));
      if (name === 'index.html') index = content;
      else if (Object.hasOwn(types, extname(name))) files.set(name, fileOf(name, content));
    }
    this.#files = files;
    this.#index = fileOf('index.html', Buffer.from(index.toString().replaceAll(prefixMark, prefix)));
  }

  /** The file of a path without a slash in front. Every path that is no file is one of the page's own. */
  find(path: string): PageFile | undefined {
    return this.#files.get(path) ?? (/\.[a-z]+$/.test(path) ? undefined : this.#index);
  }
}

function fileOf(name: string, plain: Buffer): PageFile {
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  // The build puts a hash into the names of all others.
  const isImmutable = /-[A-Z0-9]{8}\.\w+$/.test(name);
  const headers: HeaderList = [
    ['content-type', types[extname(name)] ?? 'application/octet-stream'],
    ['cache-control', isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache'],
    ['etag', etag],
    ['vary', 'accept-encoding'],
  ];
  return { headers, plain, gzip: gzipSync(plain, { level: 9 }), etag };
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not built
  }
}

function builtDirectory(): string {
  return join(dirname(createRequire(import.meta.url).resolve('linod/package.json')), 'dist/console');
}
