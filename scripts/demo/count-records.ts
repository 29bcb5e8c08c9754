// Whether all records of the demo's applications are in a log, each once and in order.

export interface RecordCount {
  readonly name: string;
  readonly found: number;
  readonly missing: number;
  readonly doubled: number;
  readonly disordered: number;
}

/** Counts the records `{"record":N}` of each application, which numbered them from 1 to `total`. */
export function countRecords(log: string, names: readonly string[], total: number): RecordCount[] {
  return names.map((name) => {
    const numbers: number[] = [];
    const line = new RegExp(` ${name}\\[\\d+\\]#\\d+ .*\\{"record":(\\d+)\\}$`, 'gm');
    for (const [, number] of log.matchAll(line)) numbers.push(Number(number));
    const different = new Set(numbers);
    return {
      name,
      found: numbers.length,
      missing: total - different.size,
      doubled: numbers.length - different.size,
      disordered: numbers.filter((number, i) => number < (numbers[i - 1] ?? 0)).length,
    };
  });
}
