// docs/reference/api.md lists every public name with the first sentence of its comment, as the compiler knows them;
// docs/reference/messages.md names every message and its fields.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { cell, isWritten, root, table } from './support/written-docs.js';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { types: string }>;
};

/** The source of each export of the package, by the name that a program imports. */
const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === 'string'
    ? []
    : [
        {
          name: join('linod', path),
          file: join(root, target.types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts')),
        },
      ],
);

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
const program = ts.createProgram({ rootNames: entries.map(({ file }) => file), options });
const checker = program.getTypeChecker();

/** The first sentence of a comment, without links. */
function firstSentence(comment: string): string {
  const text = comment
    .replace(/\{@link (\S+?)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
  return cell(/^.*?\.(?= |$)/.exec(text)?.[0] ?? text);
}

function kindOf({ flags }: ts.Symbol): string {
  if (flags & ts.SymbolFlags.Class) return 'class';
  if (flags & ts.SymbolFlags.Function) return 'function';
  return flags & ts.SymbolFlags.Value ? 'value' : 'type';
}

function rows(file: string): string[][] {
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file} exports nothing`);
  return checker
    .getExportsOfModule(module)
    .map((symbol) => {
      const real = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const isForeign = real.declarations?.[0]?.getSourceFile().fileName.includes('/node_modules/') ?? false;
      const comment = ts.displayPartsToString(real.getDocumentationComment(checker));
      return [`\`${symbol.name}\``, kindOf(real), isForeign ? 'Kysely exports it.' : firstSentence(comment)];
    })
    .toSorted(([a = ''], [b = '']) => a.localeCompare(b, 'en'));
}

for (const { name, file } of entries)
  isWritten('docs/reference/api.md', `names of ${name}`, table(['name', 'kind', 'what it is'], rows(file)));

/** The objects in a source that describe a message, by its type, with the names of their fields. */
function messagesIn(file: string): Array<{ type: string; fields: string[] }> {
  const text = readFileSync(join(root, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Array<{ type: string; fields: string[] }> = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const type = typeOfMessage(node);
      const object = node.arguments.find(ts.isObjectLiteralExpression);
      if (type !== undefined && object !== undefined)
        found.push({ type, fields: object.properties.flatMap((each) => each.name?.getText(source) ?? []) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `message('job.run', …)` or `v.object({ type: v.literal('log.ack'), … })` */
function typeOfMessage({ expression, arguments: given }: ts.CallExpression): string | undefined {
  const name = expression.getText();
  if (name === 'message' && given[0] !== undefined && ts.isStringLiteral(given[0])) return given[0].text;
  if (name !== 'v.object' || given[0] === undefined) return undefined;
  return /^\{\s*(?:\/\*\*.*?\*\/\s*)?type: v\.literal\('([\w.]+)'\)/s.exec(given[0].getText())?.[1];
}

t.test('docs/reference/messages.md has every message with all of its fields', async (t) => {
  const page = readFileSync(join(root, 'docs/reference/messages.md'), 'utf8');
  const files = ['src/consumers/messages.ts', 'src/log/messages.ts', 'src/log/levels/overrides.ts'];
  const messages = files.flatMap(messagesIn);
  t.ok(messages.length > 15, `${messages.length} messages are found in the code`);
  for (const { type, fields } of messages) {
    const lines = page.split('\n').filter((line) => line.startsWith(`| \`${type}\` `));
    t.ok(lines.length > 0, `${type} has a line of its own`);
    for (const field of fields.filter((name) => name !== 'type'))
      t.ok(
        lines.some((line) => line.includes(`\`${field}\``)),
        `${type} has its field ${field}`,
      );
  }
});
