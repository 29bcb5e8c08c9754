// Counts of things, in words.

/** `1 mail`, `2 mails`, `0 mails`. */
export function counted(count: number, thing: string, things: string = `${thing}s`): string {
  return `${count} ${count === 1 ? thing : things}`;
}
