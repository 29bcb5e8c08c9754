// The table of a list that comes in parts, and below it how much of the list is there, or why not.

import type { PagedList } from '../paged.js';
import { setQuery } from '../router.js';
import { formatCount, formatNumber } from './number.js';
import { Table, type TableProps } from './table.js';
import { Time } from './time.js';

type PagedTableProps<Row> = Omit<TableProps<Row>, 'rows' | 'isLong' | 'onView' | 'total'> & {
  readonly list: PagedList<Row>;
};

export function PagedTable<Row>({ list, ...table }: PagedTableProps<Row>) {
  const { rows, total, onView, isLoaded } = list;
  return (
    <>
      {isLoaded.value && <Table {...table} rows={rows.value} isLong onView={onView} total={total.value} />}
      <ListFoot list={list} />
    </>
  );
}

function ListFoot<Row>({ list }: { readonly list: PagedList<Row> }) {
  if (list.error.value !== null) return <p class="problem bad">{list.error.value}</p>;
  if (!list.isLoaded.value) return <p class="quiet">Loading…</p>;
  const { value: searchedTo } = list.searchedTo;
  if (searchedTo !== null) {
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
  if (!list.hasMore.value && count === total) return <p class="quiet">{formatCount(count, 'row')}</p>;
  const loaded = formatNumber(count);
  return (
    <p class="quiet">
      {total > count ? `${loaded} of ${formatCount(total, 'row')}` : `${loaded} rows so far`}
    </p>
  );
}
