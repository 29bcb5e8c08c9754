// Values that must not stand in the log, found by their paths in the fields.

import { LinodError } from '../base/errors.js';
import { redactPathPattern } from '../site/log-settings.js';
import { type Fields, plainFields } from './fields.js';

/** Replaces a value. */
export const redacted = '[redacted]';

/** A path that says nothing, or not where. */
export class RedactPathError extends LinodError {
  constructor(found: unknown) {
    super(
      'LINOD_ERR_REDACT_PATH',
      `expected a path to redact such as "password", "user.token", "headers.*" or 'headers["set-cookie"]', got: ${JSON.stringify(found) ?? String(found)}`,
    );
  }
}

/** One step of paths: what follows under a name, and under any. */
interface Step {
  readonly named: Map<string, Step>;
  any: Step | undefined;
  isEnd: boolean;
}

const oneStep = /\.?([^.[\]*"']+|\*)|\[(?:(\d+|\*)|"([^"]*)"|'([^']*)')\]/g;

/**
 * Replaces what lies at the ends of some paths. A path is written as in pino: names with dots between them,
 * `*` for each name or index, `["set-cookie"]` for a name that has dots or brackets.
 *
 * @example
 * new Redaction(['password', 'user.token', 'headers.*', 'items[*].secret']).apply({ password: 'x', order: 7 });
 */
export class Redaction {
  readonly #root: Step = newStep();

  /** Undefined for no paths, so that nothing is copied. @throws RedactPathError (`LINOD_ERR_REDACT_PATH`) */
  static of(paths: readonly string[]): Redaction | undefined {
    return paths.length === 0 ? undefined : new Redaction(paths);
  }

  /** @throws RedactPathError (`LINOD_ERR_REDACT_PATH`) */
  constructor(paths: readonly string[]) {
    for (const path of paths) {
      let step = this.#root;
      for (const name of parsePath(path)) step = follow(step, name);
      step.isEnd = true;
    }
  }

  /**
   * A copy of the fields without these values; what it is given is not changed. Never throws.
   *
   * @param origins as of `plainFields`
   */
  apply(fields: Fields, origins: readonly object[] = []): Fields {
    const copy = plainFields(fields, origins);
    censor(copy, [this.#root]);
    return copy;
  }

  /** The same for JSON as a text. It stays as it is when nothing in it is to be hidden, or it is no JSON. */
  applyToJson(text: string): string {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return text;
    }
    if (typeof value !== 'object' || value === null) return text;
    return censor(value, [this.#root]) ? JSON.stringify(value) : text;
  }

  /**
   * A copy of an error for showing it, the values of whose own fields are replaced, also those of its causes.
   * Its fields are found by the paths of the record's fields, and by those that begin with `error` or `err`.
   */
  applyToError(error: Error, above: readonly Error[] = []): Error {
    const copy: Error = Object.create(Object.getPrototypeOf(error));
    for (const key of ['name', 'message', 'stack'] as const) {
      if (Object.hasOwn(error, key)) Object.defineProperty(copy, key, { value: error[key] });
    }
    const { cause: _cause, errors: _errors, ...own } = plainFields({ ...error }, [...above, error]);
    const roots = [this.#root, ...['error', 'err'].flatMap((name) => next(this.#root, name))];
    censor(own, roots);
    Object.assign(copy, own);
    for (const key of ['cause', 'errors'] as const) {
      if (!Object.hasOwn(error, key)) continue;
      const value: unknown = Reflect.get(error, key);
      const inside = [...above, error];
      const shown = Array.isArray(value)
        ? value.map((item) => this.#cause(item, inside))
        : this.#cause(value, inside);
      Object.defineProperty(copy, key, { value: shown });
    }
    return copy;
  }

  #cause(value: unknown, above: readonly Error[]): unknown {
    if (value instanceof Error)
      return above.includes(value) || above.length >= 20 ? '[circular]' : this.applyToError(value, above);
    return typeof value === 'object' && value !== null ? this.apply({ ...value }, [...above, value]) : value;
  }
}

function newStep(): Step {
  return { named: new Map(), any: undefined, isEnd: false };
}

function follow(step: Step, name: string): Step {
  if (name === '*') {
    step.any ??= newStep();
    return step.any;
  }
  const known = step.named.get(name) ?? newStep();
  step.named.set(name, known);
  return known;
}

function parsePath(path: unknown): string[] {
  if (typeof path !== 'string' || !redactPathPattern.test(path)) throw new RedactPathError(path);
  return Array.from(path.matchAll(oneStep), ([, ...names]) => names.find((name) => name !== undefined) ?? '');
}

function next(step: Step, name: string): Step[] {
  return [step.named.get(name), step.any].filter((found) => found !== undefined);
}

/** Replaces the values in a copy that belongs to nobody else. @returns whether there were any */
function censor(value: object, steps: readonly Step[]): boolean {
  let hasFound = false;
  const hasAny = steps.some((step) => step.any !== undefined);
  const names = hasAny ? Object.keys(value) : steps.flatMap((step) => [...step.named.keys()]);
  for (const name of names) {
    if (!Object.hasOwn(value, name)) continue;
    const found: unknown = Reflect.get(value, name);
    const below = steps.flatMap((step) => next(step, name));
    if (below.some((step) => step.isEnd)) hasFound = Reflect.set(value, name, redacted);
    else if (typeof found === 'object' && found !== null && below.length > 0)
      hasFound = censor(found, below) || hasFound;
  }
  return hasFound;
}
