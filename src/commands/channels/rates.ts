// How fast the counts of channels grow, from one look to the next.

import type { ChannelFigures, LayerStats } from '../../../channels/index.js';

export const countedNames = ['sent', 'received', 'refused', 'dropped', 'redelivered'] as const;

/** A second; null where there was no look before, or the counts began anew. */
export type Rates = Readonly<Record<(typeof countedNames)[number], number | null>>;

export interface RatedChannel extends ChannelFigures {
  readonly rates: Rates;
}

/** The channels of a look with their rates since the one before. A channel that is new then began at 0. */
export function withRates(stats: LayerStats, before: LayerStats | undefined): RatedChannel[] {
  const seconds = before === undefined ? 0 : (stats.at - before.at) / 1000;
  const earlier = new Map(before?.channels.map((figures) => [figures.channel, figures]));
  return stats.channels.map((figures) => ({
    ...figures,
    rates: ratesOf(figures, earlier.get(figures.channel), seconds),
  }));
}

function ratesOf(figures: ChannelFigures, earlier: ChannelFigures | undefined, seconds: number): Rates {
  const rate = (name: (typeof countedNames)[number]) => {
    const growth = figures[name] - (earlier?.[name] ?? 0);
    return seconds <= 0 || growth < 0 ? null : growth / seconds;
  };
  return {
    sent: rate('sent'),
    received: rate('received'),
    refused: rate('refused'),
    dropped: rate('dropped'),
    redelivered: rate('redelivered'),
  };
}

/** `0`, `0.4`, `12`, `3400`; `-` where it is not known. */
export function rateText(rate: number | null): string {
  if (rate === null) return '-';
  return rate > 0 && rate < 9.95 ? rate.toFixed(1) : String(Math.round(rate));
}
