// Facts that may be missing.

import { NotRunError } from './check.js';

export interface Part<T> {
  readonly get: () => T;
  readonly problem: string | null;
}

/** Facts, or the reason why there are none. */
export async function part<T>(gather: () => Promise<T>): Promise<Part<T>> {
  try {
    const facts = await gather();
    return { get: () => facts, problem: null };
  } catch (error) {
    return { get: notRun(messageOf(error)), problem: messageOf(error) };
  }
}

/** Facts that cannot be gathered. */
export function notRun(why: string): () => never {
  return () => {
    throw new NotRunError(why);
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
