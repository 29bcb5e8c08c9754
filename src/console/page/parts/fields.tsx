// Filters of a list. Their values are in the page's query.

import { useEffect, useRef, useState } from 'preact/hooks';
import { queryValue, setQuery } from '../router.js';

/** After the last key, in ms, before what was typed counts. */
export const typingMs = 200;

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
  const timer = useRef(0);
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

/** From a value of the query to its text. */
type Choices = Readonly<Record<string, string>>;

/** Choices that are called what they are. */
export function choices(values: readonly string[]): Choices {
  return Object.fromEntries(values.map((value) => [value, value]));
}

interface FilterSelectProps extends FilterProps {
  readonly options: Choices;
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
        {Object.entries({ '': all, ...options }).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TabsProps extends FilterProps {
  /** The first tab is the default. */
  readonly tabs: Choices;
}

/** Switches between views of a page. */
export function Tabs({ label, name, tabs }: TabsProps) {
  const [first = ''] = Object.keys(tabs);
  const current = queryValue(name) || first;
  return (
    <nav class="tabs" aria-label={label}>
      {Object.entries(tabs).map(([value, text]) => (
        <button
          key={value}
          type="button"
          aria-current={value === current || undefined}
          onClick={() => setQuery({ [name]: value === first ? null : value })}
        >
          {text}
        </button>
      ))}
    </nav>
  );
}
