// The JavaScript objects that become a Python dict.

/** Whether a value is an object literal, of any realm, or has no prototype. */
export function isPlainObject(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // Another realm (a vm context, as in test runners) has its own Object.prototype.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), 'hasOwnProperty');
}

/** The name of an object's class, for error messages. */
export function className(value: object): string {
  return value.constructor?.name || 'without a name';
}

/** Assigns a property, but keeps a key `__proto__` from a peer as data. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}
