// Sentences that say what happened, to see and to hear.

import { signal } from '@preact/signals';
import { messageOf } from '../api.js';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

/** How long a toast stays, in ms. Errors stay until they are closed. */
const shownMs = 6_000;
const toasts = signal<readonly Toast[]>([]);
let lastId = 0;

/** Shows a sentence for some seconds. */
export function announce(text: string): void {
  const id = show(text, false);
  setTimeout(() => close(id), shownMs);
}

/** Shows what went wrong until the user closes it. */
export function announceError(error: unknown): void {
  show(messageOf(error), true);
}

function close(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

function show(text: string, isError: boolean): number {
  lastId += 1;
  const others = toasts.value.filter((toast) => toast.text !== text);
  toasts.value = [...others.slice(-4), { id: lastId, text, isError }];
  return lastId;
}

/** The region is always there, so that screen readers notice what comes into it. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isError }) => (
        <p key={id} class={isError ? 'toast bad' : 'toast'}>
          {text}
          <button type="button" class="plain" aria-label="Close" onClick={() => close(id)}>
            ✕
          </button>
        </p>
      ))}
    </div>
  );
}
