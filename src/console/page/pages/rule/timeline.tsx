// The timeline of a rule: past and future due times with the reason of each decision, on an axis and as a table. Its
// period is in the address.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineView } from '../../../api.js';
import { Link } from '../../parts/link.js';
import { Loaded } from '../../parts/page.js';
import { isoOf, moves, type Period, periodAround, periodOf, widened } from '../../parts/period.js';
import { Status } from '../../parts/status.js';
import { Table, type TableOf } from '../../parts/table.js';
import { formatSite, now, Time } from '../../parts/time.js';
import { useResource } from '../../resource.js';
import { queryValue, setQuery } from '../../router.js';
import { TimelineAxis } from './timeline-axis.js';
import { isWithin, itemsOf, runsOf, type TimelineItem } from './timeline-items.js';

/** More is no reading. */
const maxRows = 200;
/** Browsers refuse an address that changes too often. */
const addressMs = 150;

interface TimelineProps {
  readonly id: number;
  readonly name: string;
  /** How far its last run and its next are apart, in ms. */
  readonly apartMs: number;
}

export function Timeline({ id, name, apartMs }: TimelineProps) {
  // A later run must not zoom what somebody reads.
  const [firstApartMs] = useState(apartMs);
  const byDefault = periodAround(now.value, firstApartMs);
  const settled = periodOf(queryValue('from'), queryValue('to')) ?? byDefault;
  /** While it moves: the period to come. */
  const [moving, setMoving] = useState<Period | null>(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const period = moving ?? settled;
  const move = (next: Period | null) => {
    clearTimeout(timer.current);
    setMoving(next ?? byDefault);
    timer.current = setTimeout(() => {
      setQuery({ from: next && isoOf(next.from), to: next && isoOf(next.to) });
      setMoving(null);
    }, addressMs);
  };
  const { from, to } = widened(settled);
  const query = new URLSearchParams({ from: isoOf(from), to: isoOf(to) });
  const timeline = useResource<TimelineView>(`rules/${id}/timeline?${query}`, ['rules', 'jobs']);
  return (
    <>
      <div class="actions">
        {moves.map(({ label, text, from }) => (
          <button key={label} type="button" aria-label={label} onClick={() => move(from(period))}>
            {text}
          </button>
        ))}
        <span class="quiet number">
          {formatSite(period.from).slice(0, 16)} – {formatSite(period.to).slice(0, 16)}
        </span>
      </div>
      <Loaded resource={timeline}>
        {(view) => <Shown view={view} period={period} name={name} onMove={move} />}
      </Loaded>
    </>
  );
}

interface ShownProps {
  readonly view: TimelineView;
  readonly period: Period;
  readonly name: string;
  readonly onMove: (period: Period | null) => void;
}

function Shown({ view, period, name, onMove }: ShownProps) {
  const items = useMemo(() => itemsOf(view), [view]);
  const runs = useMemo(() => runsOf(view), [view]);
  const shown = items.filter(({ at, until }) => isWithin(period, at, until));
  const selected = queryValue('entry');
  const chosen = items.find(({ key }) => key === selected);
  const hidden = shown.length - maxRows;
  return (
    <>
      <TimelineAxis
        label={`Timeline of ${name}`}
        period={period}
        now={Math.max(now.value, Date.parse(view.now))}
        items={shown.filter(({ reason }) => reason !== 'summary')}
        runs={runs.filter(({ from, to }) => isWithin(period, from, to))}
        selected={selected}
        onMove={onMove}
      />
      <p class="chosen" role="status">
        {chosen && (
          <>
            <TimeAndReason item={chosen} /> <What item={chosen} />
          </>
        )}
      </p>
      {view.isCut && (
        <p class="problem warn">
          There are too many decisions: the oldest are left out. Zoom in to see them.
        </p>
      )}
      <Table {...table} rows={shown.reverse().slice(0, maxRows)} />
      {hidden > 0 && <p class="quiet">{hidden} older rows are on the axis. Zoom in to list them.</p>}
    </>
  );
}

const table: TableOf<TimelineItem> = {
  label: 'Decisions and due times, the newest first',
  empty: 'Nothing happened in this time, and nothing will.',
  rowKey: ({ key }) => key,
  columns: [
    // In one column, which is two lines on a phone.
    { title: 'Time and reason', cell: (item) => <TimeAndReason item={item} /> },
    { title: 'What', cell: (item) => <What item={item} /> },
  ],
};

interface ItemProps {
  readonly item: TimelineItem;
}

function TimeAndReason({ item: { at, reason } }: ItemProps) {
  return (
    <>
      <Time at={new Date(at).toISOString()} withDate /> <Status state={reason} />
    </>
  );
}

function What({ item: { sentence, job } }: ItemProps) {
  return (
    <span class="anywhere">
      {sentence} {job !== null && <Link to={`/runs/${job.id}`}>Open run {job.id}</Link>}
    </span>
  );
}
