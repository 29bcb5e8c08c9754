// What every page begins with: its title and actions.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Resource } from '../resource.js';
import { session } from '../session.js';

interface PageProps {
  readonly title: string;
  /** Buttons beside the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

let isFirstPage = true;

export function Page({ title, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const site = session.value?.site.name ?? 'linod';
  useEffect(() => {
    document.title = `${title} · ${site}`;
  }, [title, site]);
  useEffect(() => {
    // Screen readers read the heading of the page that was opened.
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  return (
    <>
      <header class="page">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions}
      </header>
      {children}
    </>
  );
}

interface LoadedProps<T> {
  readonly resource: Pick<Resource<T>, 'data' | 'error'>;
  readonly children: (data: T) => ComponentChildren;
}

/** Shows the data as soon as it is there, and it stays when a later load fails. */
export function Loaded<T>({ resource, children }: LoadedProps<T>) {
  const data = resource.data.value;
  if (data !== undefined) return <>{children(data)}</>;
  if (resource.error.value !== null) return <p class="problem bad">{resource.error.value}</p>;
  return <p class="quiet">Loading…</p>;
}
