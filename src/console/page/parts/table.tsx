// A table whose headers sort, whose rows can be selected, and which renders only the rows on the screen.

import { type Signal, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { queryValue, setQuery } from '../router.js';
import { type OnView, rowHeight, useVisibleRows } from './visible-rows.js';

interface Column<Row> {
  /** Other than those of all other columns. */
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Its name in the query `sort`; without one it does not sort. */
  readonly sort?: string;
  /** Numbers stand at the right. What is `wide` is shown on wide screens only. */
  readonly class?: 'number' | 'wide' | 'number wide';
  /** A CSS width, for long tables: their columns must not move while rows come and go. */
  readonly width?: string;
}

type Key = number | string;

/** What a table is. Define it once, outside of the component: cells are rendered again when the columns are others. */
export interface TableOf<Row> {
  /** What it lists. */
  readonly label: string;
  readonly columns: ReadonlyArray<Column<Row>>;
  readonly rowKey: (row: Row) => Key;
  /** What to say when there are no rows. */
  readonly empty: string;
  /** Names a row for its checkbox. */
  readonly rowName?: (row: Row) => string;
}

export interface TableProps<Row> extends TableOf<Row> {
  readonly rows: readonly Row[];
  /** A long table has rows of one line each, and renders only those on the screen. `total` counts those not loaded, too. */
  readonly long?: { readonly onView: OnView; readonly total: number };
  /** The keys of the selected rows. The table has checkboxes when it is given. */
  readonly selection?: Signal<ReadonlySet<Key>> | false;
}

const narrow = matchMedia('(max-width: 720px)');
/** Whether the screen is narrow, as theme.css has it. */
const isNarrow = signal(narrow.matches);
narrow.addEventListener('change', () => {
  isNarrow.value = narrow.matches;
});

/** The order is `sort` in the query: `name` or `-name`. */
export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, rows, rowKey, empty, long, selection } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, last] = useVisibleRows(body, rows.length, long?.onView);
  if (rows.length === 0) return <p class="quiet">{empty}</p>;
  return (
    // On narrow screens the table scrolls, and the keyboard must reach what scrolls.
    <section class="scroll" aria-label={label} tabIndex={isNarrow.value ? 0 : undefined}>
      <table class={long && 'long'} aria-label={label} aria-rowcount={long && long.total + 1}>
        <colgroup>
          {selection && <col class="select" />}
          {columns.map(({ title, width = '', class: name }) => (
            <col key={title} class={name} style={{ width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={long && 1}>
            {selection && (
              <th scope="col" class="select">
                <Check
                  label="Select all rows that are loaded"
                  keys={rows.map(rowKey)}
                  selection={selection}
                />
              </th>
            )}
            {columns.map((column) => (
              <Header key={column.title} {...column} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Spacer rows={first} />
          {rows.slice(first, last).map((row, offset) => (
            <TableRow key={rowKey(row)} table={props} row={row} index={first + offset} />
          ))}
          <Spacer rows={rows.length - last} />
        </tbody>
      </table>
    </section>
  );
}

interface TableRowProps<Row> {
  readonly table: TableProps<Row>;
  readonly row: Row;
  readonly index: number;
}

function TableRow<Row>({ table, row, index }: TableRowProps<Row>) {
  const { columns, selection, long, rowKey, rowName = rowKey } = table;
  // While a table scrolls, most of its rows stay as they are.
  const cells = useMemo(
    () =>
      columns.map(({ title, class: name, cell }) => {
        const content = cell(row);
        // In a long table a text may be cut.
        return (
          <td key={title} class={name} title={typeof content === 'string' ? content : undefined}>
            {content}
          </td>
        );
      }),
    [columns, row],
  );
  return (
    <tr data-row={index} tabIndex={-1} aria-rowindex={long && index + 2}>
      {selection && (
        <td class="select">
          <Check label={`Select ${rowName(row)}`} keys={[rowKey(row)]} selection={selection} />
        </td>
      )}
      {cells}
    </tr>
  );
}

/** Takes the room of rows that are not rendered. */
function Spacer({ rows }: { readonly rows: number }) {
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row is not focusable
  return rows > 0 ? <tr aria-hidden="true" style={{ height: `${rows * rowHeight}px` }} /> : null;
}

function Header<Row>({ title, sort, class: name }: Column<Row>) {
  const current = queryValue('sort');
  const isUp = current === sort;
  const order = isUp ? 'ascending' : current === `-${sort}` ? 'descending' : undefined;
  const next = order === undefined ? sort : isUp ? `-${sort}` : null;
  return (
    <th scope="col" class={name} aria-sort={order}>
      {next === undefined ? (
        title
      ) : (
        <button type="button" class="plain" onClick={() => setQuery({ sort: next })}>
          {title}
          <span aria-hidden="true">{order && (isUp ? ' ▲' : ' ▼')}</span>
        </button>
      )}
    </th>
  );
}

interface CheckProps {
  readonly label: string;
  /** The rows that it selects. */
  readonly keys: readonly Key[];
  readonly selection: Signal<ReadonlySet<Key>>;
}

function Check({ label, keys, selection }: CheckProps) {
  const count = keys.filter((key) => selection.value.has(key)).length;
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={count === keys.length}
      indeterminate={count > 0 && count < keys.length}
      onChange={({ currentTarget: { checked } }) => {
        const others = [...selection.peek()].filter((key) => !keys.includes(key));
        selection.value = new Set(checked ? [...others, ...keys] : others);
      }}
    />
  );
}
