// Where the page is: a path below the console's prefix and a query. Every state of a page is in its query.

import { signal } from '@preact/signals';

/** Begins and ends with a slash. The server writes it into index.html, without the one at the end. */
export const prefix = `${document.documentElement.dataset.prefix ?? ''}/`;

interface Address {
  /** Begins with a slash: `/rules/3`. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The address that is shown. A component that reads it is drawn again when it changes. */
export const address = signal(currentAddress());

function currentAddress(): Address {
  const { pathname, search } = location;
  const path = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : '';
  return { path: `/${path}`, query: new URLSearchParams(search) };
}

/** The value for `href` of a path such as `/rules/3`. */
export function href(path: string): string {
  return prefix + path.replace(/^\//, '');
}

/** Goes to a path such as `/rules/3?tab=history`. */
export function navigate(path: string): void {
  history.pushState(null, '', href(path));
  address.value = currentAddress();
  scrollTo(0, 0);
}

/** One value of the query; empty when it is not there. */
export function queryValue(name: string): string {
  return address.value.query.get(name) ?? '';
}

/** Changes values of the query without a new entry in the history. Null and empty remove them. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text === '' ? '' : `?${text}`));
  address.value = currentAddress();
}

/** What the query of an API call needs of the page's own query: `?text=mail&state=paused`. */
export function pickQuery(names: readonly string[]): string {
  const { query } = address.value;
  const picked = [...query].filter(([name]) => names.includes(name)).sort();
  return picked.length === 0 ? '' : `?${new URLSearchParams(picked)}`;
}

/** Follows the browser's buttons, and links of the console without loading the page again. */
export function startRouter(): void {
  addEventListener('popstate', () => {
    address.value = currentAddress();
  });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download')) return;
    if (link.origin !== location.origin || !link.pathname.startsWith(prefix)) return;
    // The skip link only moves the focus.
    if (link.hash !== '') return;
    event.preventDefault();
    navigate(`/${link.pathname.slice(prefix.length)}${link.search}`);
  });
}
