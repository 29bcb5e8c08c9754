// Which objects of JavaScript stand for a dict of Python.

/** Whether a value is an object literal, one without a prototype, or a literal of another realm. */
export function isPlainObject(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // An object literal of another realm (a vm context, as test runners use) has that realm's Object.prototype.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), 'hasOwnProperty');
}

/** The name of an object's class, for an error. */
export function className(value: object): string {
  return value.constructor?.name || 'without a name';
}

/** Assignment, but a key `__proto__` from a peer becomes data instead of the object's prototype. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}
