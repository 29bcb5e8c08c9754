// All rules: when they are due, what became of them, and what can be done with them.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { BulkResult, RuleState, RuleSummary } from '../../api.js';
import { post } from '../api.js';
import { usePagedList } from '../paged.js';
import { Action } from '../parts/action.js';
import { choices, FilterSelect, FilterText } from '../parts/fields.js';
import { Link } from '../parts/link.js';
import { formatCount } from '../parts/number.js';
import { Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import { Status } from '../parts/status.js';
import { RunStrip } from '../parts/strip.js';
import type { TableOf } from '../parts/table.js';
import { Ago, Duration } from '../parts/time.js';
import { announceError } from '../parts/toasts.js';
import { pickQuery } from '../router.js';
import { mayChange } from '../session.js';
import { PauseOrResume, RunRule } from './rule/rule-actions.js';

const states: readonly RuleState[] = ['active', 'running', 'paused', 'never', 'removed'];
const selection = signal<ReadonlySet<number | string>>(new Set());

export function RulesPage() {
  const query = pickQuery(['text', 'state', 'sort']);
  const list = usePagedList<RuleSummary>(`rules${query}`, ['rules', 'jobs']);
  useEffect(() => {
    // What is no longer listed must not be changed.
    selection.value = new Set();
  }, [query]);
  return (
    <Page title="Rules">
      <div class="filters">
        <FilterText name="text" label="Name or procedure" isFirst />
        <FilterSelect name="state" label="State" options={choices(states)} all="all with a procedure" />
        <BulkActions onDone={list.reload} />
      </div>
      <PagedTable {...table} list={list} selection={mayChange() && selection} />
    </Page>
  );
}

const table: TableOf<RuleSummary> = {
  label: 'Rules',
  empty: 'There are no such rules.',
  rowKey: ({ id }) => id,
  rowName: ({ name }) => name,
  columns: [
    {
      title: 'Name',
      sort: 'name',
      width: '14rem',
      cell: ({ id, name, procedure }) => (
        <Link to={`/rules/${id}`} title={`rule ${id}, procedure ${procedure}`}>
          {name}
        </Link>
      ),
    },
    { title: 'When', class: 'wide', cell: ({ when }) => when },
    {
      title: 'State',
      width: '6.5rem',
      cell: ({ state, stateText }) => <Status state={state} title={stateText} />,
    },
    {
      title: 'Next',
      sort: 'next',
      width: '6rem',
      cell: ({ nextAt, state }) => (state === 'paused' || state === 'removed' ? null : <Ago at={nextAt} />),
    },
    {
      title: 'Last',
      sort: 'last',
      width: '11.5rem',
      cell: ({ last }) =>
        last === null ? null : (
          <>
            <Link to={`/runs/${last.id}`} title={last.headline}>
              <Status state={last.status} />
            </Link>{' '}
            <Duration from={last.startedAt} to={last.endedAt} />
          </>
        ),
    },
    { title: 'Last 50 runs', class: 'wide', width: '10rem', cell: ({ strip }) => <RunStrip runs={strip} /> },
    {
      title: 'Actions',
      width: '11rem',
      cell: (rule) => (
        <span class="actions">
          <PauseOrResume rule={rule} />
          <RunRule rule={rule} />
        </span>
      ),
    },
  ],
};

const verbs = { run: 'Run', pause: 'Pause', resume: 'Resume' } as const;

function BulkActions({ onDone }: { readonly onDone: () => void }) {
  const ids = [...selection.value];
  if (ids.length === 0) return null;
  const rules = formatCount(ids.length, 'rule');
  const change = async (action: keyof typeof verbs) => {
    const { done, failed } = await post<BulkResult>('rules/bulk', { ids, action });
    for (const { id, message } of failed.slice(0, 3)) announceError(`Rule ${id}: ${message}`);
    if (failed.length > 3) announceError(`${failed.length - 3} more rules were refused.`);
    selection.value = new Set(failed.map(({ id }) => id));
    onDone();
    return `${verbs[action]}: done for ${formatCount(done, 'rule')}.`;
  };
  return (
    <fieldset class="actions bulk">
      <legend class="small">{rules} selected</legend>
      {(Object.keys(verbs) as Array<keyof typeof verbs>).map((action) => {
        const title = `${verbs[action]} ${rules}`;
        const question = { title, text: `This changes ${rules} at once.`, action: title };
        return (
          <Action key={action} label={title} question={question} run={() => change(action)}>
            {verbs[action]}
          </Action>
        );
      })}
    </fieldset>
  );
}
