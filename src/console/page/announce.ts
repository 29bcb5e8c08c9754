// What the user is told: a toast to see, in a live region for those who listen.

import { signal } from '@preact/signals';
import { messageOf } from './api.js';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

export const toasts = signal<readonly Toast[]>([]);

/** How long a toast stays, in ms. Errors stay until they are closed. */
const shownMs = 6_000;
let lastId = 0;

/** Shows a sentence for some seconds. */
export function announce(text: string): void {
  const id = show(text, false);
  setTimeout(() => closeToast(id), shownMs);
}

/** Shows what went wrong until the user closes it. */
export function announceError(error: unknown): void {
  show(messageOf(error), true);
}

export function closeToast(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

function show(text: string, isError: boolean): number {
  lastId += 1;
  const others = toasts.value.filter((toast) => toast.text !== text);
  toasts.value = [...others.slice(-4), { id: lastId, text, isError }];
  return lastId;
}
