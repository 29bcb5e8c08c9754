// Mails and pushes: what waits, what was sent, and what failed.

import type { OutboxMessage, OutboxRow } from '../../api.js';
import { post } from '../api.js';
import { usePagedList } from '../paged.js';
import { Action } from '../parts/action.js';
import { Dialog } from '../parts/dialog.js';
import { choices, FilterSelect, Tabs } from '../parts/fields.js';
import { Facts, Loaded, Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import { Status } from '../parts/status.js';
import type { TableOf } from '../parts/table.js';
import { Code } from '../parts/text.js';
import { Ago, now, Time } from '../parts/time.js';
import { useResource } from '../resource.js';
import { pickQuery, queryValue, setQuery } from '../router.js';

const states = {
  mail: choices(['queued', 'sending', 'deferred', 'failed', 'sent', 'digested']),
  push: choices(['pending', 'sending', 'failed', 'sent']),
};

export function OutboxPage() {
  const list = usePagedList<OutboxRow>(`outbox${pickQuery(['kind', 'state'])}`, ['outbox']);
  const kind = queryValue('kind') === 'push' ? 'push' : 'mail';
  const shown = queryValue('show');
  return (
    <Page title="Mail and push">
      <Tabs label="Mails or pushes" name="kind" tabs={{ mail: 'Mails', push: 'Pushes' }} />
      <div class="filters">
        <FilterSelect name="state" label="State" options={states[kind]} />
      </div>
      <PagedTable {...table} list={list} />
      {shown !== '' && <Message key={`${kind} ${shown}`} kind={kind} id={shown} />}
    </Page>
  );
}

const table: TableOf<OutboxRow> = {
  label: 'Messages, the newest first',
  empty: 'There are none.',
  rowKey: ({ id }) => id,
  columns: [
    { title: 'State', width: '7rem', cell: ({ state }) => <Status state={state} /> },
    { title: 'To', width: '12rem', cell: ({ to }) => to },
    {
      title: 'Subject',
      width: '16rem',
      cell: ({ id, subject }) => (
        <button type="button" class="plain" title={subject} onClick={() => setQuery({ show: String(id) })}>
          {subject || `number ${id}`}
        </button>
      ),
    },
    { title: 'Queued', class: 'wide', width: '13rem', cell: ({ createdAt }) => <Time at={createdAt} /> },
    { title: 'Attempts', class: 'number wide', width: '6rem', cell: ({ attempts }) => attempts },
    { title: 'Next', class: 'wide', width: '6rem', cell: ({ nextAt }) => <Due at={nextAt} /> },
    { title: 'Answer', class: 'wide', cell: ({ error }) => error },
    { title: 'Actions', width: '6rem', cell: (row) => <Retry row={row} /> },
  ],
};

/** A due time that has passed is not over: the next run of the sender takes it. */
function Due({ at }: { readonly at: string | null }) {
  return at !== null && Date.parse(at) <= now.value ? <>due</> : <Ago at={at} />;
}

function Retry({ row: { kind, id, to, state } }: { readonly row: OutboxRow }) {
  if (state !== 'failed' && state !== 'deferred') return null;
  const name = `${kind} ${id} to ${to}`;
  const text = `Sends ${name} again, with all attempts.`;
  const run = async () => {
    await post(`outbox/${kind}/${id}/retry`);
    return `The ${name} is queued again.`;
  };
  return (
    <Action label={`Retry ${name}`} question={{ title: 'Send again', text, action: 'Send again' }} run={run}>
      Retry
    </Action>
  );
}

/** What is in it. The HTML is shown as source, so that nothing in it is loaded or run. */
function Message({ kind, id }: { readonly kind: string; readonly id: string }) {
  const message = useResource<OutboxMessage>(`outbox/${kind}/${encodeURIComponent(id)}`);
  return (
    <Dialog title={`The ${kind} ${id}`} onClose={() => setQuery({ show: null })}>
      <Loaded resource={message}>
        {({ headers, text, html }) => (
          <>
            <Facts facts={headers.map(({ name, value }) => [name, value])} />
            <Code label="Text" children={text} />
            {html !== null && <Code label="HTML, as source" children={html} />}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
