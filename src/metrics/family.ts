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
  /** The beginnings of its lines: of a histogram those of its buckets, the sum and the count. */
  readonly heads: readonly string[];
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
    const known = this.#series.has(keyOf(labels));
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
    let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const series of this.#series.values())
      text += type === 'histogram' ? histogramText(series) : `${series.heads[0]}${series.value}\n`;
    return text;
  }

  #of(values: readonly string[]): Series {
    const key = keyOf(values);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= maxSeries && values[0] !== 'other')
      return this.#of(['other', ...values.slice(1)]);
    const count = this.definition.buckets === undefined ? 0 : this.definition.buckets.length + 1;
    const series = {
      heads: headsOf(this.definition, values),
      value: 0,
      buckets: new Array<number>(count).fill(0),
    };
    this.#series.set(key, series);
    return series;
  }
}

function keyOf(labels: readonly string[]): string {
  // Most metrics that count messages have one label.
  return labels.length === 1 ? (labels[0] ?? '') : labels.join('\n');
}

function headsOf({ name, labels, type, buckets = [] }: Definition, values: readonly string[]): string[] {
  const all = labels.map((label, i) => `${label}="${escaped(values[i] ?? '')}"`).join(',');
  const braced = all === '' ? '' : `{${all}}`;
  if (type !== 'histogram') return [`${name}${braced} `];
  const prefix = all === '' ? '' : `${all},`;
  const bounds = [...buckets, '+Inf'].map((bound) => `${name}_bucket{${prefix}le="${bound}"} `);
  return [...bounds, `${name}_sum${braced} `, `${name}_count${braced} `];
}

function histogramText({ heads, value, buckets }: Series): string {
  let text = '';
  let count = 0;
  for (const [i, own] of buckets.entries()) {
    count += own;
    text += `${heads[i]}${count}\n`;
  }
  return `${text}${heads[buckets.length]}${value}\n${heads[buckets.length + 1]}${count}\n`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
