// The reasons of the ledger: a shape, a word and a colour.

import type { Tone } from './status.js';

const looks: Readonly<Record<string, readonly [shape: string, tone: Tone]>> = {
  started: ['●', 'good'],
  late: ['◐', 'warn'],
  requested: ['▶', 'busy'],
  again: ['↻', 'busy'],
  skipped: ['✕', 'warn'],
  dropped: ['⊘', 'bad'],
  taken: ['=', 'quiet'],
  moved: ['→', 'quiet'],
  lost: ['?', 'bad'],
  cancelled: ['‖', 'warn'],
  resumed: ['▷', 'good'],
  reactivated: ['▷', 'good'],
  edited: ['✎', 'quiet'],
  removed: ['–', 'quiet'],
  ended: ['■', 'quiet'],
};

export function lookOf(reason: string): readonly [shape: string, tone: Tone] {
  return looks[reason] ?? ['•', 'quiet'];
}

export function Reason({ reason }: { readonly reason: string }) {
  const [shape, tone] = lookOf(reason);
  return (
    <span class={`status ${tone}`}>
      <span class="shape" aria-hidden="true">
        {shape}
      </span>
      {reason}
    </span>
  );
}
