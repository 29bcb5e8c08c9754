// Where in a message something is, as an error names it.

/** An error names a place this many levels deep, and then an ellipsis. */
const maxNamedDepth = 16;

/** `message.a[3]["b c"]`, from the first `depth` keys and indexes of a path. */
export function messagePlace(path: ReadonlyArray<string | number>, depth: number): string {
  let place = 'message';
  for (const step of path.slice(0, Math.min(depth, maxNamedDepth)))
    place += typeof step === 'number' ? `[${step}]` : propertyPath(step);
  return depth > maxNamedDepth ? `${place}…` : place;
}

function propertyPath(key: string): string {
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
