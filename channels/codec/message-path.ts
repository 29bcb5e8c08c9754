// The path of a value in a message, for error messages.

/** Deeper paths end with an ellipsis. */
const maxNamedDepth = 16;

/** Returns `message.a[3]["b c"]` for the first `depth` keys and indexes of a path. */
export function messagePath(steps: ReadonlyArray<string | number>, depth: number): string {
  let path = 'message';
  for (const step of steps.slice(0, Math.min(depth, maxNamedDepth)))
    path += typeof step === 'number' ? `[${step}]` : propertyPath(step);
  return depth > maxNamedDepth ? `${path}…` : path;
}

function propertyPath(key: string): string {
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
