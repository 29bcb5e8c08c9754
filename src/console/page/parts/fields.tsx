// Filters of a list. Their values are in the page's query.

import { useEffect, useRef, useState } from 'preact/hooks';
import { queryValue, setQuery } from '../router.js';

/** After the last key, in ms, before the filter counts. */
const typingMs = 200;

interface FilterProps {
  /** Its name in the query. */
  readonly name: string;
  readonly label: string;
}

interface FilterTextProps extends FilterProps {
  readonly placeholder?: string;
  /** Whether `/` moves here. */
  readonly isFirst?: boolean;
}

export function FilterText({ name, label, placeholder, isFirst = false }: FilterTextProps) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // While the user types, the query is behind.
  const [typed, setTyped] = useState<string | null>(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <label class="filter">
      <span>{label}</span>
      <input
        type="search"
        value={typed ?? queryValue(name)}
        placeholder={placeholder}
        data-filter={isFirst}
        onInput={({ currentTarget: { value } }) => {
          clearTimeout(timer.current);
          setTyped(value);
          timer.current = setTimeout(() => {
            setQuery({ [name]: value });
            setTyped(null);
          }, typingMs);
        }}
      />
    </label>
  );
}

interface FilterSelectProps extends FilterProps {
  readonly options: ReadonlyArray<{ readonly value: string; readonly text: string }>;
  /** The text for no filter. */
  readonly all?: string;
}

export function FilterSelect({ name, label, options, all = 'all' }: FilterSelectProps) {
  return (
    <label class="filter">
      <span>{label}</span>
      <select
        value={queryValue(name)}
        onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}
      >
        <option value="">{all}</option>
        {options.map(({ value, text }) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TabsProps {
  readonly label: string;
  /** Its name in the query. The first tab is the default. */
  readonly name: string;
  readonly tabs: ReadonlyArray<{ readonly value: string; readonly text: string }>;
}

/** Switches between views of a page. */
export function Tabs({ label, name, tabs }: TabsProps) {
  const current = queryValue(name) || tabs[0]?.value;
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ value, text }, index) => (
        <button
          key={value}
          type="button"
          aria-current={value === current ? 'true' : undefined}
          onClick={() => setQuery({ [name]: index === 0 ? null : value })}
        >
          {text}
        </button>
      ))}
    </nav>
  );
}
