// The log: live and past, filtered, and whether it is complete.

import { useMemo } from 'preact/hooks';
import { useLive } from '../live.js';
import { LogWindow } from '../log-window.js';
import { FilterSelect, FilterText } from '../parts/fields.js';
import { Link } from '../parts/link.js';
import { Completeness, gapsOf, useCompleteness } from '../parts/log/completeness.js';
import { LogList } from '../parts/log/log-list.js';
import { formatCount } from '../parts/number.js';
import { Page } from '../parts/page.js';
import { href, pickQuery, queryValue } from '../router.js';

const filters = ['level', 'logger', 'sender', 'text', 'since', 'until'];
const levels = {
  INFO: 'INFO and above',
  WARNING: 'WARNING and above',
  ERROR: 'ERROR and above',
  CRITICAL: 'CRITICAL',
};

export function LogPage() {
  const line = queryValue('line');
  // The lines around a line are not filtered.
  const filter = line === '' ? pickQuery(filters).slice(1) : '';
  const log = useLive(() => new LogWindow(filter, line), `${filter} ${line}`);
  const completeness = useCompleteness();
  const gaps = useMemo(() => gapsOf(completeness), [completeness]);
  return (
    <Page title="Log" actions={<State log={log} />}>
      <Completeness view={completeness} />
      {line === '' ? (
        <div class="filters">
          <FilterText name="text" label="Text" isFirst />
          <FilterSelect name="level" label="Level" options={levels} />
          <FilterText name="logger" label="Logger" placeholder="and those below it" />
          <FilterText name="sender" label="Sender" placeholder="web, or web[812]" />
          <FilterText name="since" label="Since" placeholder="2h, 20:00, 2026-11-24" />
          <FilterText name="until" label="Until" placeholder="the same" />
          <a href={href(`/api/log/download?${filter}`)} download>
            Download
          </a>
        </div>
      ) : (
        <p>
          These are the lines around one line. <Link to="/log">Show the end of the log</Link>
        </p>
      )}
      {log.error.value !== null && <p class="problem bad">{log.error.value}</p>}
      <LogList key={`${filter} ${line}`} log={log} gaps={gaps} marked={line} />
    </Page>
  );
}

function State({ log }: { readonly log: LogWindow }) {
  if (!log.isLoaded.value) return <span class="quiet">Loading…</span>;
  const leftOut = log.leftOut.value > 0 && (
    <span class="warn">
      ▲ {formatCount(log.leftOut.value, 'line')} left out, because they came faster than they can be shown
    </span>
  );
  if (log.isFollowing.value) {
    return (
      <>
        <span class="status good">▶ Follows the end</span> {leftOut}
      </>
    );
  }
  const toEnd = () => {
    log.toEnd();
    const list = document.querySelector('.log');
    if (list !== null) list.scrollTop = list.scrollHeight;
  };
  return (
    <>
      <button type="button" onClick={toEnd}>
        ‖ Paused. To the end
      </button>{' '}
      {leftOut}
    </>
  );
}
