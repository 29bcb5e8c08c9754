// The table of a list that comes in parts, and below it how much of the list is there, or why not.

import type { PagedList } from '../paged.js';
import { setQuery } from '../router.js';
import { formatCount, formatNumber } from './number.js';
import { Table, type TableProps } from './table.js';
import { Time } from './time.js';

type PagedTableProps<Row> = Omit<TableProps<Row>, 'rows' | 'long'> & {
  readonly list: PagedList<Row>;
};

export function PagedTable<Row>({ list, ...table }: PagedTableProps<Row>) {
  const { rows, total, onView, end } = list;
  const long = { onView, total: Math.max(total.value ?? 0, rows.value.length) };
  return (
    <>
      {end.value && <Table {...table} rows={rows.value} long={long} />}
      <ListFoot list={list} />
    </>
  );
}

function ListFoot<Row>({ list }: { readonly list: PagedList<Row> }) {
  if (list.error.value !== null) return <p class="problem bad">{list.error.value}</p>;
  if (list.end.value === undefined) return <p class="quiet">Loading…</p>;
  const { next, searchedTo } = list.end.value;
  if (searchedTo != null) {
    return (
      <p class="problem warn">
        The search took too long. It got back to <Time at={searchedTo} withDate />.{' '}
        <button type="button" onClick={() => setQuery({ until: searchedTo })}>
          Search what is older
        </button>
      </p>
    );
  }
  const count = list.rows.value.length;
  const total = list.total.value ?? count;
  if (total === 0) return null;
  if (total > count) return <p class="quiet">{`${formatNumber(count)} of ${formatCount(total, 'row')}`}</p>;
  return <p class="quiet">{`${formatCount(count, 'row')}${next === null ? '' : ' so far'}`}</p>;
}
