// The keyboard: goes to pages, moves in lists, shows its own keys.

import { signal } from '@preact/signals';
import { shownPages } from './page-list.js';
import { Dialog } from './parts/dialog.js';
import { Facts } from './parts/page.js';
import { navigate } from './router.js';

const isHelpOpen = signal(false);
/** Whether the last key was `g`. */
let isGoing = false;

/** Keys with Ctrl, Alt or Meta are the browser's, and those in fields are text. */
export function startKeyboard(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const { target } = event;
    if (!(target instanceof HTMLElement) || document.querySelector('dialog[open]') !== null) return;
    if (target.matches('input:not([type=checkbox]), textarea, select')) {
      if (event.key === 'Escape') target.blur();
    } else if (press(event.key)) event.preventDefault();
  });
}

/** @returns whether the key means something here */
function press(key: string): boolean {
  const wasGoing = isGoing;
  isGoing = !wasGoing && key === 'g';
  if (wasGoing) return goTo(key);
  if (key === '/') return focus(document.querySelector('[data-filter=true]'));
  if (key === 'j') return move(1);
  if (key === 'k') return move(-1);
  if (key === 'Enter') return openRow();
  if (key === '?') showKeys(true);
  return key === '?' || key === 'g';
}

function goTo(key: string): boolean {
  const page = shownPages().find((page) => page.key === key);
  if (page !== undefined) navigate(page.path);
  return page !== undefined;
}

function move(step: number): boolean {
  const rows = [...document.querySelectorAll('[data-row]')];
  const current = document.activeElement?.closest('[data-row]') ?? null;
  if (current !== null) return focus(rows[rows.indexOf(current) + step] ?? current);
  // Rows above the screen are rendered too.
  return focus(rows.find((row) => row.getBoundingClientRect().top >= 0) ?? null);
}

/** Only when the row itself has the focus: a link or button in it does its own. */
function openRow(): boolean {
  const link = document.activeElement?.matches('[data-row]') && document.activeElement.querySelector('a');
  if (!link) return false;
  link.click();
  return true;
}

function focus(element: Element | null): boolean {
  if (!(element instanceof HTMLElement)) return false;
  element.focus();
  element.scrollIntoView({ block: 'nearest' });
  return true;
}

/** Opens or closes the list of keys. */
export function showKeys(isOpen: boolean): void {
  isHelpOpen.value = isOpen;
}

/** The list of keys, while it is open. */
export function KeyboardHelp() {
  if (!isHelpOpen.value) return null;
  const keys: ReadonlyArray<readonly [string, string]> = [
    ['/', 'filter'],
    ['j', 'next row'],
    ['k', 'previous row'],
    ['Enter', 'open the row'],
    ['Esc', 'leave a field, close a dialog'],
    ['+ − ← →', 'zoom and move the timeline'],
    ...shownPages().map(({ key, name }) => [`g ${key}`, name] as const),
    ['?', 'this list'],
  ];
  return (
    <Dialog title="Keys" onClose={() => showKeys(false)}>
      <Facts facts={keys.map(([key, text]) => [<kbd key={key}>{key}</kbd>, text])} />
    </Dialog>
  );
}
