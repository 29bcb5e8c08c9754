// The timeline of a rule: past and future due times with the reason of each decision, on an axis and as a table. Its
// period is in the address.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineView } from '../../api.js';
import { Link } from '../parts/link.js';
import { Loaded } from '../parts/page.js';
import { isoOf, moved, type Period, periodAround, periodOf, zoomed } from '../parts/period.js';
import { Reason } from '../parts/reason.js';
import { type Column, Table } from '../parts/table.js';
import { formatSite, now, Time } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue, setQuery } from '../router.js';
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
  const [shown, move] = usePeriod(apartMs);
  const { period, isMoving } = shown;
  const { from, to } = useLoadedPeriod(period, isMoving);
  const query = new URLSearchParams({ from: isoOf(from), to: isoOf(to) });
  const timeline = useResource<TimelineView>(`rules/${id}/timeline?${query}`, ['rules', 'jobs']);
  const home = () => move(null);
  return (
    <>
      <div class="actions">
        <button type="button" aria-label="Zoom in" onClick={() => move(zoomed(period, 1 / 2))}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => move(zoomed(period, 2))}>
          −
        </button>
        <button type="button" aria-label="Earlier" onClick={() => move(moved(period, -0.5))}>
          ‹
        </button>
        <button type="button" aria-label="Later" onClick={() => move(moved(period, 0.5))}>
          ›
        </button>
        <button type="button" onClick={home}>
          Now
        </button>
        <span class="quiet number">
          {formatSite(period.from).slice(0, 16)} – {formatSite(period.to).slice(0, 16)}
        </span>
      </div>
      <Loaded resource={timeline}>
        {(view) => <Shown view={view} period={period} name={name} onMove={move} onHome={home} />}
      </Loaded>
    </>
  );
}

interface ShownProps {
  readonly view: TimelineView;
  readonly period: Period;
  readonly name: string;
  readonly onMove: (period: Period) => void;
  readonly onHome: () => void;
}

function Shown({ view, period, name, onMove, onHome }: ShownProps) {
  const items = useMemo(() => itemsOf(view), [view]);
  const runs = useMemo(() => runsOf(view), [view]);
  const rows = items.filter(({ at, until }) => isWithin(period, at, until)).reverse();
  const selected = queryValue('entry');
  const chosen = items.find(({ key }) => key === selected);
  const hidden = rows.length - maxRows;
  return (
    <>
      <TimelineAxis
        label={`Timeline of ${name}`}
        period={period}
        now={Math.max(now.value, Date.parse(view.now))}
        items={items.filter(({ reason }) => reason !== 'summary')}
        runs={runs}
        selected={selected}
        onMove={onMove}
        onSelect={({ key }) => setQuery({ entry: key })}
        onHome={onHome}
      />
      <p class="chosen" role="status">
        {chosen !== undefined && (
          <>
            <Time at={isoOf(chosen.at)} withDate /> <Reason reason={chosen.reason} /> {chosen.sentence}{' '}
            {chosen.job !== null && <RunLink item={chosen} />}
          </>
        )}
      </p>
      {view.isCut && (
        <p class="problem warn">
          There are too many decisions: the oldest are left out. Zoom in to see them.
        </p>
      )}
      <Table
        label="Decisions and due times, the newest first"
        columns={columns}
        rows={rows.slice(0, maxRows)}
        rowKey={({ key }) => key}
        empty="Nothing happened in this time, and nothing will."
      />
      {hidden > 0 && <p class="quiet">{hidden} older rows are on the axis. Zoom in to list them.</p>}
    </>
  );
}

const columns: ReadonlyArray<Column<TimelineItem>> = [
  {
    title: 'Time and reason',
    // In one column, which is two lines on a phone.
    cell: ({ at, when, reason }) => (
      <>
        {when ?? <Time at={new Date(at).toISOString()} withDate />} <Reason reason={reason} />
      </>
    ),
  },
  {
    title: 'What',
    cell: (item) => (
      <span class="anywhere">
        {item.sentence} {item.job !== null && <RunLink item={item} />}
      </span>
    ),
  },
];

function RunLink({ item: { job } }: { readonly item: TimelineItem }) {
  return job === null ? null : <Link to={`/runs/${job.id}`}>Open run {job.id}</Link>;
}

interface ShownPeriod {
  readonly period: Period;
  readonly isMoving: boolean;
}

/** The period of the address, or while it moves the one to come. Null goes to the default around now. */
function usePeriod(apartMs: number): readonly [ShownPeriod, (period: Period | null) => void] {
  const [moving, setMoving] = useState<Period | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  // A later run must not zoom what somebody reads.
  const [firstApartMs] = useState(apartMs);
  const byDefault = periodAround(now.value, firstApartMs);
  const period = moving ?? periodOf(queryValue('from'), queryValue('to')) ?? byDefault;
  const move = (next: Period | null) => {
    clearTimeout(timer.current);
    setMoving(next ?? byDefault);
    timer.current = setTimeout(() => {
      setQuery({ from: next && isoOf(next.from), to: next && isoOf(next.to) });
      setMoving(null);
    }, addressMs);
  };
  return [{ period, isMoving: moving !== null }, move];
}

/** What is loaded: more than is shown, so that dragging shows something at once. It stays while the user moves. */
function useLoadedPeriod({ from, to }: Period, isMoving: boolean): Period {
  const loaded = useRef<Period | null>(null);
  if (!isMoving || loaded.current === null) {
    const step = (to - from) / 2;
    // In whole steps, so that a small move loads nothing else.
    const first = Math.floor(from / step) * step - step;
    loaded.current = { from: first, to: first + 5 * step };
  }
  return loaded.current;
}
