// All rules: when they are due, what became of them, and what can be done with them.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { BulkResult, RuleState, RuleSummary } from '../../api.js';
import { announce, announceError } from '../announce.js';
import { post } from '../api.js';
import { usePagedList } from '../paged.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { FilterSelect, FilterText } from '../parts/fields.js';
import { Link } from '../parts/link.js';
import { formatCount } from '../parts/number.js';
import { Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import { askForRun, RunDialog } from '../parts/run-dialog.js';
import { Status } from '../parts/status.js';
import { RunStrip } from '../parts/strip.js';
import type { Column } from '../parts/table.js';
import { Ago, Duration } from '../parts/time.js';
import { pickQuery } from '../router.js';
import { mayChange } from '../session.js';
import { PauseOrResume } from './rule-actions.js';

const states: readonly RuleState[] = ['active', 'running', 'paused', 'never', 'removed'];
const stateOptions = states.map((value) => ({ value, text: value }));
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
        <FilterSelect name="state" label="State" options={stateOptions} all="all with a procedure" />
        <BulkActions onDone={list.reload} />
      </div>
      <PagedTable
        label="Rules"
        list={list}
        rowKey={({ id }) => id}
        rowName={({ name }) => name}
        empty="There are no such rules."
        columns={columns}
        {...(mayChange() ? { selection } : {})}
      />
      <RunDialog />
    </Page>
  );
}

const columns: ReadonlyArray<Column<RuleSummary>> = [
  {
    title: 'Name',
    sort: 'name',
    width: '17rem',
    cell: ({ id, name, procedure }) => (
      <Link to={`/rules/${id}`} title={`rule ${id}, procedure ${procedure}`}>
        {name}
      </Link>
    ),
  },
  { title: 'When', class: 'wide', cell: ({ when }) => <span title={when}>{when}</span> },
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
        <Action label={`Run ${rule.name}`} run={async () => askForRun(rule)}>
          Run…
        </Action>
      </span>
    ),
  },
];

const verbs = { run: 'Run', pause: 'Pause', resume: 'Resume' } as const;

function BulkActions({ onDone }: { readonly onDone: () => void }) {
  const ids = [...selection.value];
  if (ids.length === 0) return null;
  const rules = formatCount(ids.length, 'rule');
  const change = async (action: keyof typeof verbs) => {
    const verb = `${verbs[action]} ${rules}`;
    if (!(await confirm(verb, `This changes ${rules} at once.`, verb))) return;
    const { done, failed } = await post<BulkResult>('rules/bulk', { ids, action });
    announce(`${verbs[action]}: done for ${formatCount(done, 'rule')}.`);
    for (const { id, message } of failed.slice(0, 3)) announceError(`Rule ${id}: ${message}`);
    if (failed.length > 3) announceError(`${failed.length - 3} more rules were refused.`);
    selection.value = new Set(failed.map(({ id }) => id));
    onDone();
  };
  return (
    <fieldset class="actions bulk">
      <legend class="small">{rules} selected</legend>
      {(Object.keys(verbs) as Array<keyof typeof verbs>).map((action) => (
        <Action key={action} label={`${verbs[action]} ${rules}`} run={() => change(action)}>
          {verbs[action]}
        </Action>
      ))}
    </fieldset>
  );
}
