// The end of a list that comes in parts: how much of it is there, or why not.

import type { PagedList } from '../paged.js';
import { setQuery } from '../router.js';
import { formatCount, formatNumber } from './number.js';
import { Time } from './time.js';

export function ListFoot<Row>({ list }: { readonly list: PagedList<Row> }) {
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
