// The examples of the documentation are programs of this package's users: they compile, or they are out of date.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');

/** A block of TypeScript in a page, as a file of its own. */
interface Example {
  readonly page: string;
  /** The line of the page on which the code begins, counted from 1. */
  readonly line: number;
  /** The name under which the compiler gets it; there is no such file. */
  readonly file: string;
  readonly code: string;
}

function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const documents = docs.filter((name) => name.endsWith('.md')).sort();
  return ['README.md', 'CONTRIBUTING.md', ...documents.map((name) => `docs/${name}`)].filter((page) =>
    existsSync(join(root, page)),
  );
}

/** The blocks that a page marks as `ts` or `typescript`. */
function examplesOf(page: string, markdown: string): Example[] {
  const blocks = markdown.matchAll(/^[ \t]*```(?:ts|typescript)\b[^\n]*\n(.*?)^[ \t]*```[ \t]*$/gms);
  return Array.from(blocks, (block) => {
    const line = markdown.slice(0, block.index).split('\n').length + 1;
    return { page, line, file: join(root, `${page}.${line}.ts`), code: block[1] ?? '' };
  });
}

/** The files of the example sites, which people copy. */
function exampleFiles(): Example[] {
  return readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const file = join(root, 'examples', name);
      return { page: `examples/${name}`, line: 1, file, code: readFileSync(file, 'utf8') };
    });
}

/** What the package exports, by the sources that it is built of. */
function exportedSources(): Record<string, string[]> {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  return Object.fromEntries(
    Object.entries(exports).flatMap(([path, target]) =>
      typeof target === 'string'
        ? []
        : [[join(name, path), [target.types.replace('/dist/', '/').replace(/\.d\.ts$/, '.ts')]]],
    ),
  );
}

/** The compiler's complaints about the examples, each with the page and line that it is about. */
function complaints(examples: readonly Example[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const compilerOptions: ts.CompilerOptions = {
    ...options,
    paths: exportedSources(),
    moduleDetection: ts.ModuleDetectionKind.Force,
    // A page shows how a thing is made before it shows what it is for.
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  const codes = new Map(examples.map((example) => [example.file, example.code]));
  const host = ts.createCompilerHost(compilerOptions);
  const { readFile, fileExists, getSourceFile } = host;
  host.fileExists = (file) => codes.has(file) || fileExists(file);
  host.readFile = (file) => codes.get(file) ?? readFile(file);
  host.getSourceFile = (file, target, ...rest) => {
    const code = codes.get(file);
    if (code === undefined) return getSourceFile(file, target, ...rest);
    return ts.createSourceFile(file, code, target);
  };
  const program = ts.createProgram({
    rootNames: examples.map((example) => example.file),
    options: compilerOptions,
    host,
  });
  return examples.flatMap((example) => {
    const source = program.getSourceFile(example.file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start = 0 }) => {
        const line = example.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
        return `${example.page}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      },
    );
  });
}

t.test('the TypeScript in README.md, docs and examples compiles', async (t) => {
  const examples = pages().flatMap((page) => examplesOf(page, readFileSync(join(root, page), 'utf8')));
  const files = exampleFiles();
  t.ok(examples.length > 0 && files.length > 0, 'there are examples');
  t.same(complaints([...examples, ...files]), []);
});

t.test('an example that does not compile is told with its page and line', async (t) => {
  const markdown = [
    '# A page',
    '',
    '```sh',
    'not typescript',
    '```',
    '1. In a list:',
    '   ```ts',
    "   import { scheduleDaily } from 'linod';",
    '   scheduleDaily({ hour: 3 }, async function report(ar) {',
    "     ar.shout('hello');",
    '   });',
    '   ```',
    '```ts',
    'const broken = ;',
    '```',
  ].join('\n');
  const found = complaints(examplesOf('docs/page.md', markdown));
  t.match(found, [
    /^docs\/page\.md:10 Property 'shout' does not exist/,
    /^docs\/page\.md:14 Expression expected/,
  ]);
  t.equal(found.length, 2);
});
