// Choice lists, as the original has them: an ordered set of choices, each with a value, a name and a text.

export interface Choice {
  /** What is stored in the database. */
  readonly value: string;
  /** What programs call it. */
  readonly name: string;
  /** What people read. */
  readonly text: string;
}

/** An ordered list of choices with look-up by value. Prints as a table of value, name and text. */
export class ChoiceList<C extends Choice> implements Iterable<C> {
  readonly #choices = new Map<string, C>();

  constructor(choices: Iterable<C> = []) {
    for (const choice of choices) this.#choices.set(choice.value, choice);
  }

  get size(): number {
    return this.#choices.size;
  }

  /** Adds a choice at the end, or replaces the one with the same value. */
  add(choice: C): C {
    this.#choices.set(choice.value, choice);
    return choice;
  }

  /** The choice with this value, if there is one. */
  get(value: string): C | undefined {
    return this.#choices.get(value);
  }

  has(value: string): boolean {
    return this.#choices.has(value);
  }

  /** All choices in the order in which they were added. */
  [Symbol.iterator](): IterableIterator<C> {
    return this.#choices.values();
  }

  toString(): string {
    const rows = [['value', 'name', 'text'], ...Array.from(this, (c) => [c.value, c.name, c.text])];
    const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
    const line = (row: string[]) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd();
    const [head = [], ...body] = rows;
    return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
  }
}
