// A table whose headers sort, whose rows can be selected, and which renders only the rows on the screen.

import type { Signal } from '@preact/signals';
import type { ComponentChildren, VNode } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { queryValue, setQuery } from '../router.js';
import { isNarrow } from './screen.js';
import { useVisibleRows } from './visible-rows.js';

export interface Column<Row> {
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

export interface TableProps<Row> {
  /** What it lists. */
  readonly label: string;
  /** Define them once, outside of the component: rows are rendered again when they are others. */
  readonly columns: ReadonlyArray<Column<Row>>;
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => number | string;
  /** What to say when there are no rows. */
  readonly empty: string;
  /** A long table has rows of one line each, and renders only those on the screen. */
  readonly isLong?: boolean;
  /** How many rows there are in all, if not all are loaded. */
  readonly total?: number | undefined;
  /** Called with the indices of the rows on the screen, for a long table. */
  readonly onView?: (first: number, last: number) => void;
  /** The keys of the selected rows. The table has checkboxes when it is given. */
  readonly selection?: Signal<ReadonlySet<number | string>>;
  /** Names a row for its checkbox. */
  readonly rowName?: (row: Row) => string;
}

/** The order is `sort` in the query: `name` or `-name`. */
export function Table<Row>(props: TableProps<Row>) {
  const {
    label,
    columns,
    rows,
    rowKey,
    empty,
    isLong = false,
    total = rows.length,
    onView,
    selection,
  } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const cachedRow = useRowCache(props);
  const visible = useVisibleRows(body, isLong ? rows.length : null, onView);
  if (rows.length === 0) return <p class="quiet">{empty}</p>;
  const { first, last, rowHeight } = isLong ? visible : { first: 0, last: rows.length, rowHeight: 0 };
  return (
    // On narrow screens the table scrolls, and the keyboard must reach what scrolls.
    <section class="scroll" aria-label={label} tabIndex={isNarrow.value ? 0 : undefined}>
      <table
        class={isLong ? 'long' : undefined}
        aria-label={label}
        aria-rowcount={isLong ? Math.max(total, rows.length) + 1 : undefined}
      >
        <colgroup>
          {selection && <col class="select" />}
          {columns.map(({ title, width = '', class: name }) => (
            <col key={title} class={name} style={{ width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={isLong ? 1 : undefined}>
            {selection && <SelectAll rows={rows} rowKey={rowKey} selection={selection} />}
            {columns.map((column) => (
              <Header key={column.title} column={column} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Spacer height={first * rowHeight} />
          {rows.slice(first, last).map((row, offset) => cachedRow(row, first + offset))}
          <Spacer height={(rows.length - last) * rowHeight} />
        </tbody>
      </table>
    </section>
  );
}

/**
 * Renders rows, and those that were rendered before only when they have changed. While a table scrolls, most of its rows
 * stay. That needs `columns` which are the same ones each time.
 */
function useRowCache<Row>(props: TableProps<Row>): (row: Row, index: number) => VNode {
  const { columns, selection, rowKey } = props;
  const cache = useRef(new Map<number | string, { row: Row; index: number; node: VNode }>());
  // With other columns all rows are others.
  useMemo(() => cache.current.clear(), [columns, selection]);
  const rendered: typeof cache.current = new Map();
  const before = cache.current;
  cache.current = rendered;
  return (row, index) => {
    const key = rowKey(row);
    const known = before.get(key);
    const isSame = known !== undefined && known.row === row && known.index === index;
    const node = isSame ? known.node : <TableRow key={key} table={props} row={row} index={index} />;
    rendered.set(key, { row, index, node });
    return node;
  };
}

interface TableRowProps<Row> {
  readonly table: TableProps<Row>;
  readonly row: Row;
  readonly index: number;
}

function TableRow<Row>({ table, row, index }: TableRowProps<Row>) {
  const { columns, selection, isLong } = table;
  return (
    <tr data-row={index} tabIndex={-1} aria-rowindex={isLong ? index + 2 : undefined}>
      {selection && <Select row={row} {...table} selection={selection} />}
      {columns.map((column) => (
        <td key={column.title} class={column.class}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

/** Takes the room of rows that are not rendered. */
function Spacer({ height }: { readonly height: number }) {
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row is not focusable
  return height > 0 ? <tr aria-hidden="true" style={{ height: `${height}px` }} /> : null;
}

function Header<Row>({ column }: { readonly column: Column<Row> }) {
  const { title, sort } = column;
  if (sort === undefined)
    return (
      <th scope="col" class={column.class}>
        {title}
      </th>
    );
  const current = queryValue('sort');
  const order = current === sort ? 'ascending' : current === `-${sort}` ? 'descending' : undefined;
  const next = order === 'ascending' ? `-${sort}` : order === 'descending' ? null : sort;
  return (
    <th scope="col" class={column.class} aria-sort={order}>
      <button type="button" class="plain" onClick={() => setQuery({ sort: next })}>
        {title}
        <span aria-hidden="true">{order === 'ascending' ? ' ▲' : order === 'descending' ? ' ▼' : ''}</span>
      </button>
    </th>
  );
}

type Selection = Signal<ReadonlySet<number | string>>;

interface SelectAllProps<Row> extends Pick<TableProps<Row>, 'rows' | 'rowKey'> {
  readonly selection: Selection;
}

function SelectAll<Row>({ rows, rowKey, selection }: SelectAllProps<Row>) {
  const count = rows.filter((row) => selection.value.has(rowKey(row))).length;
  return (
    <th scope="col" class="select">
      <input
        type="checkbox"
        aria-label="Select all rows that are loaded"
        checked={count > 0 && count === rows.length}
        indeterminate={count > 0 && count < rows.length}
        onChange={({ currentTarget: { checked } }) => {
          selection.value = new Set(checked ? rows.map(rowKey) : []);
        }}
      />
    </th>
  );
}

interface SelectProps<Row> extends Pick<TableProps<Row>, 'rowKey' | 'rowName'> {
  readonly row: Row;
  readonly selection: Selection;
}

function Select<Row>({ row, rowKey, rowName, selection }: SelectProps<Row>) {
  const key = rowKey(row);
  return (
    <td class="select">
      <input
        type="checkbox"
        aria-label={`Select ${rowName?.(row) ?? key}`}
        checked={selection.value.has(key)}
        onChange={({ currentTarget: { checked } }) => {
          const keys = new Set(selection.peek());
          if (checked) keys.add(key);
          else keys.delete(key);
          selection.value = keys;
        }}
      />
    </td>
  );
}
