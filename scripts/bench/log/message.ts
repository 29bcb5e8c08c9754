// The record that all contestants log: with what each of them puts before it, a line of about 100 bytes.

/** Records end in it, and nothing else in their files does. */
export const ending = 'was paid';

/** As an application writes it, with a number that changes. */
export function messageOf(number: number): string {
  return `order ${number + 1_000_000} of customer C-17 ${ending}`;
}

/** After so many records a program looks at its event loop, as a server does between its requests. */
export const recordsInARow = 200;
