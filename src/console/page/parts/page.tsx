// What every page begins with, and what shows its data.

import { type ComponentChildren, Fragment } from 'preact';
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
  document.title = `${title} · ${session.value?.site.name ?? 'linod'}`;
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
  readonly resource: Resource<T>;
  readonly children: (data: T) => ComponentChildren;
}

/** Shows the data as soon as it is there, and it stays when a later load fails. */
export function Loaded<T>({ resource: { data, error }, children }: LoadedProps<T>) {
  if (data.value !== undefined) return <>{children(data.value)}</>;
  if (error.value !== null) return <p class="problem bad">{error.value}</p>;
  return <p class="quiet">Loading…</p>;
}

interface FactsProps {
  /** What is null or false is left out. */
  readonly facts: ReadonlyArray<readonly [name: ComponentChildren, value: ComponentChildren]>;
}

export function Facts({ facts }: FactsProps) {
  const known = facts.filter(([, value]) => value !== null && value !== false);
  return (
    <dl class="fields">
      {known.map(([name, value], index) => (
        <Fragment key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

interface SectionProps {
  readonly title: string;
  readonly children: ComponentChildren;
}

export function Section({ title, children }: SectionProps) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}
