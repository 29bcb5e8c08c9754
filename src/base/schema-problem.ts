// What a schema of valibot finds wrong, in sentences for people: where, what is allowed, what was found.

import * as v from 'valibot';
import { suggestion } from './errors.js';
import { hidePassword } from './hide-password.js';

/** One thing that is wrong with a value. */
export interface SchemaProblem {
  /** Where, `depends[0].summary`; empty for the value itself. */
  readonly field: string;
  /** `expected batchSize to be at most 5000, got: 9000`. */
  readonly problem: string;
}

type Issue = v.BaseIssue<unknown>;
type Path = readonly v.IssuePathItem[];

/**
 * What a schema of valibot finds wrong with a value; nothing when it is right. A message in the schema says
 * what is allowed, `a text`, or begins with `expected` and is the whole sentence.
 *
 * @example
 * const [wrong] = schemaProblems(v.object({ fix: v.boolean() }), ar.args);
 * if (wrong !== undefined) throw new Error(wrong.problem); // expected fix to be true or false, got: 1
 */
export function schemaProblems(schema: v.GenericSchema, value: unknown): SchemaProblem[] {
  const { issues = [] } = v.safeParse(schema, value);
  return issues.map((issue) => problemOf(schema, issue, issue.path ?? []));
}

function problemOf(schema: v.GenericSchema, issue: Issue, path: Path): SchemaProblem {
  // Of several forms the one that was probably meant is the one of which something deeper is wrong.
  const deeper = issue.issues?.find((inner) => inner.path !== undefined);
  if (deeper !== undefined) return problemOf(schema, deeper, [...path, ...(deeper.path ?? [])]);
  const field = fieldOf(path);
  return { field, problem: sentence(schema, issue, path, field) };
}

function sentence(schema: v.GenericSchema, issue: Issue, path: Path, field: string): string {
  const { message, input } = issue;
  const last = path.at(-1);
  if (last !== undefined && 'origin' in last && last.origin === 'key') {
    if (issue.type.endsWith('object') && issue.expected !== 'never') return `${field} is missing`;
    const known = keysAt(schema, path.slice(0, -1));
    const hint =
      suggestion(String(last.key), known) || (known.length > 0 ? `; there are ${known.join(', ')}` : '');
    const parent = fieldOf(path.slice(0, -1));
    return `there is no key ${JSON.stringify(last.key)}${parent && ` in ${parent}`}${hint}`;
  }
  if (message.startsWith('expected ')) return message;
  if (input === undefined && path.length > 0) return `${field} is missing`;
  const near =
    issue.type === 'picklist' && typeof input === 'string' ? suggestion(input, wordsOf(issue)) : '';
  return `expected ${field && `${field} to be `}${allowedBy(issue)}, got: ${shown(input)}${near}`;
}

/** `depends[0].summary` */
function fieldOf(path: Path): string {
  return path.reduce((field, { key }) => {
    if (typeof key === 'number') return `${field}[${key}]`;
    return field === '' ? String(key) : `${field}.${String(key)}`;
  }, '');
}

/** By the types of valibot's schemas and checks. */
const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  function: 'a function',
  date: 'a date',
  array: 'a list',
  tuple: 'a list',
  null: 'null',
  object: 'an object',
  loose_object: 'an object',
  strict_object: 'an object',
  record: 'an object',
  integer: 'a whole number',
  safe_integer: 'a whole number',
  finite: 'a finite number',
  non_empty: 'not empty',
  excludes: 'a text without zero characters',
};

function allowedBy(issue: Issue): string {
  const { type, message, issues, requirement } = issue as Issue & { readonly requirement?: unknown };
  // What valibot itself says begins so.
  if (!message.startsWith('Invalid ')) return message;
  if (issues !== undefined) return [...new Set(issues.map(allowedBy))].join(' or ');
  const ofLength = typeof issue.input === 'string' ? 'characters long' : 'in number';
  const limits: Readonly<Record<string, string>> = {
    min_value: `at least ${String(requirement)}`,
    max_value: `at most ${String(requirement)}`,
    gt_value: `more than ${String(requirement)}`,
    min_length: requirement === 1 ? 'not empty' : `at least ${String(requirement)} ${ofLength}`,
    max_length: `at most ${String(requirement)} ${ofLength}`,
    picklist: `one of ${wordsOf(issue).join(', ')}`,
  };
  return kinds[type] ?? limits[type] ?? (issue.expected ?? 'something else').replaceAll('"', '');
}

/** Of a choice: `("dirty" | "all")`. */
function wordsOf({ expected }: Issue): string[] {
  return [...(expected ?? '').matchAll(/"([^"]*)"/g)].flatMap(([, word]) => word ?? []);
}

/** The parts of valibot's schemas by which the keys of an object are found. */
interface Node {
  readonly entries?: Readonly<Record<string, Node>>;
  readonly wrapped?: Node;
  readonly item?: Node;
  readonly key?: { readonly options?: readonly unknown[] };
  readonly value?: Node;
  readonly options?: readonly Node[];
  /** The schema itself, and what comes behind it. */
  readonly pipe?: readonly (Node & { readonly kind?: string })[];
}

/** The keys that an object at this path may have. */
function keysAt(schema: v.GenericSchema, path: Path): string[] {
  let nodes: readonly Node[] = [schema as Node];
  for (const { key } of path)
    nodes = nodes.flatMap(unwrap).flatMap((node) => inside(node, String(key)) ?? []);
  return nodes
    .flatMap(unwrap)
    .flatMap((node) => [...Object.keys(node.entries ?? {}), ...(node.key?.options?.map(String) ?? [])]);
}

function inside({ entries, item, value }: Node, key: string): Node | undefined {
  return entries?.[key] ?? item ?? value;
}

function unwrap({ pipe = [], ...node }: Node): Node[] {
  const later = pipe.slice(1).filter(({ kind }) => kind === 'schema');
  return [...forms(node), ...later.flatMap(unwrap)];
}

function forms(node: Node): Node[] {
  if (node.wrapped !== undefined) return unwrap(node.wrapped);
  const options = node.options?.filter((option) => typeof option === 'object') ?? [];
  return options.length === 0 ? [node] : options.flatMap(unwrap);
}

/**
 * A value as an error shows it: short, without passwords and without zero characters, which PostgreSQL does
 * not store.
 */
function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const text = hidePassword(toJson(value) ?? String(value)).replaceAll('\0', '\\0');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function toJson(value: unknown): string | undefined {
  try {
    return typeof value === 'number' ? String(value) : JSON.stringify(value);
  } catch {
    return 'what JSON cannot say'; // a BigInt, or an object that contains itself
  }
}
