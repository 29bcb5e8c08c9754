// Numbers for people.

const numberFormat = new Intl.NumberFormat('en-US');

/** `1,234,567`; a bigint is written exactly. */
export function formatNumber(value: number | bigint): string {
  return numberFormat.format(value);
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `12.3 MiB` */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[power]}`;
}

/** `1 run`, `3 runs` */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`;
}

/** `48 done, 2 failed` */
export function formatCounts(words: readonly string[]): string {
  const groups = Map.groupBy(words, (word) => word);
  return Array.from(groups, ([word, { length }]) => `${formatNumber(length)} ${word}`).join(', ');
}
