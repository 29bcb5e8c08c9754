// What was found, run by run, and the medians of it.

/** The numbers that one measurement finds, by their names. */
export type Found = Readonly<Record<string, number>>;

/** Names a number: experiment, contestant, and what was found. */
export type Reference = `${string}.${string}.${string}`;

export class Results {
  readonly #runs = new Map<string, number[]>();

  add(experiment: string, contestant: string, found: Found): void {
    for (const [name, value] of Object.entries(found)) {
      const reference = `${experiment}.${contestant}.${name}`;
      const runs = this.#runs.get(reference);
      if (runs === undefined) this.#runs.set(reference, [value]);
      else runs.push(value);
    }
  }

  /** Undefined when it was not measured. */
  median(reference: Reference): number | undefined {
    const sorted = [...(this.#runs.get(reference) ?? [])].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }

  toJSON(): Record<string, readonly number[]> {
    return Object.fromEntries(this.#runs);
  }
}
