// One metric: its series, and their lines in the Prometheus text format.
//
// Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".

export interface Definition {
  readonly name: string;
  /** A sentence about what it counts, with its unit. */
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** Of a histogram: the upper bounds, in ascending order, without the infinite one. */
  readonly buckets?: readonly number[];
}

/** More series than this share one, whose first label is `other`. */
const maxSeries = 2000;

interface Series {
  /** `rule="mail",status="done"`; empty without labels. */
  readonly labels: string;
  value: number;
  /** Of a histogram: how many values each bucket has, not counting the buckets below. The last is infinite. */
  readonly buckets: number[];
}

/** Its values by labels. A label has few values, and never an id. */
export class Family {
  readonly definition: Definition;
  readonly #series = new Map<string, Series>();

  constructor(definition: Definition) {
    this.definition = definition;
  }

  /** Adds to a counter. */
  add(by: number, ...labels: readonly string[]): void {
    this.#of(labels).value += by;
  }

  /** Sets a gauge. Of two values for the same labels, the higher one counts. */
  set(value: number, ...labels: readonly string[]): void {
    const known = this.#series.has(labels.join('\n'));
    const series = this.#of(labels);
    series.value = known ? Math.max(series.value, value) : value;
  }

  /** Adds a value to a histogram. */
  observe(value: number, ...labels: readonly string[]): void {
    const series = this.#of(labels);
    const { buckets: bounds = [] } = this.definition;
    const found = bounds.findIndex((bound) => value <= bound);
    const index = found < 0 ? bounds.length : found;
    series.value += value;
    series.buckets[index] = (series.buckets[index] ?? 0) + 1;
  }

  /** Forgets all values, before a gauge gets new ones. */
  clear(): void {
    this.#series.clear();
  }

  /** Its lines; empty without values. */
  text(): string {
    if (this.#series.size === 0) return '';
    const { name, help, type } = this.definition;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
    for (const series of this.#series.values()) {
      if (type === 'histogram') this.#addHistogram(lines, series);
      else lines.push(`${name}${braced(series.labels)} ${series.value}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #addHistogram(lines: string[], { labels, value, buckets }: Series): void {
    const { name, buckets: bounds = [] } = this.definition;
    const prefix = labels === '' ? '' : `${labels},`;
    let count = 0;
    for (const [i, own] of buckets.entries()) {
      count += own;
      lines.push(`${name}_bucket{${prefix}le="${bounds[i] ?? '+Inf'}"} ${count}`);
    }
    lines.push(`${name}_sum${braced(labels)} ${value}`, `${name}_count${braced(labels)} ${count}`);
  }

  #of(values: readonly string[]): Series {
    const key = values.join('\n');
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= maxSeries && values[0] !== 'other')
      return this.#of(['other', ...values.slice(1)]);
    const { labels, buckets } = this.definition;
    const text = labels.map((label, i) => `${label}="${escaped(values[i] ?? '')}"`).join(',');
    const count = buckets === undefined ? 0 : buckets.length + 1;
    const series = { labels: text, value: 0, buckets: new Array<number>(count).fill(0) };
    this.#series.set(key, series);
    return series;
  }
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
