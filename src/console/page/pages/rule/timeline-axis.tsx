// The axis of the timeline: runs as bars, decisions as shapes. It zooms by the wheel and moves by dragging. For whoever
// does not see it, the table below says the same.

import { useEffect, useRef, useState } from 'preact/hooks';
import { moved, moves, type Period, ticksOf, zoomed } from '../../parts/period.js';
import { lookOf } from '../../parts/status.js';
import { navigate, setQuery } from '../../router.js';
import { isWithin, type TimelineItem, type TimelineRun } from './timeline-items.js';

const height = 144;
const runsAt = 12;
const runHeight = 24;
/** Shapes that would cover one another stand below one another, in so many rows. */
const rows = 3;
const shapesAt = 62;
const shapeSize = 18;
const ticksAt = 114;
const tickWidth = 80;
/** In pixels: how far from its begin a drag is one. */
const dragFrom = 4;

interface TimelineAxisProps {
  readonly label: string;
  readonly period: Period;
  readonly now: number;
  /** Those of the period, in the order of their times. */
  readonly items: readonly TimelineItem[];
  readonly runs: readonly TimelineRun[];
  /** The key of an item. */
  readonly selected: string;
  /** Null goes to now. */
  readonly onMove: (period: Period | null) => void;
}

export function TimelineAxis({ label, period, now, items, runs, selected, onMove }: TimelineAxisProps) {
  const element = useRef<HTMLDivElement>(null);
  const width = useWidth(element);
  const drag = useRef<{ readonly x: number; readonly period: Period } | null>(null);
  const { from, to } = period;
  const x = (at: number) => Math.max(-1e4, Math.min(1e4, ((at - from) / (to - from)) * width));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div
      ref={element}
      class="timeline"
      role="group"
      aria-label={`${label}. Plus and minus zoom, arrows move, Home goes to now.`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys zoom and move it
      tabIndex={0}
      onKeyDown={(event) => {
        const move = moves.find(({ keys }) => keys.includes(event.key));
        if (move === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        onMove(move.from(period));
      }}
      onWheel={(event) => {
        event.preventDefault();
        const { deltaX, deltaY, clientX, currentTarget } = event;
        const share = (clientX - currentTarget.getBoundingClientRect().left) / width;
        if (Math.abs(deltaX) > Math.abs(deltaY)) onMove(moved(period, deltaX / width));
        else onMove(zoomed(period, 1.25 ** Math.max(-3, Math.min(3, deltaY / 50)), share));
      }}
      onPointerDown={({ button, clientX }) => {
        if (button === 0) drag.current = { x: clientX, period };
      }}
      onPointerMove={({ clientX, pointerId, currentTarget }) => {
        if (drag.current === null) return;
        const pixels = clientX - drag.current.x;
        // From then on it is no click on what is below the pointer.
        if (Math.abs(pixels) >= dragFrom) currentTarget.setPointerCapture(pointerId);
        if (currentTarget.hasPointerCapture(pointerId)) onMove(moved(drag.current.period, -pixels / width));
      }}
      onPointerUp={() => {
        drag.current = null;
      }}
      onPointerCancel={() => {
        drag.current = null;
      }}
    >
      <svg width={width} height={height} aria-hidden="true">
        {now < to && <rect class="future" x={Math.max(0, x(now))} width={width} height={height} />}
        {ticksOf(period, Math.max(2, width / tickWidth)).map(({ at, text }) => (
          <g key={at} class="tick" transform={`translate(${x(at)})`}>
            <path d={`M0 0V${ticksAt + 6}`} />
            <text y={ticksAt + 20}>{text}</text>
          </g>
        ))}
        {isWithin(period, now, null) && <path class="now" d={`M${x(now)} 0V${ticksAt}`} />}
        {runs.map((run) => (
          <Bar key={run.job?.id ?? `f${run.from}`} run={run} x={x(run.from)} untilX={x(run.to)} />
        ))}
        {placed(items, x).map(({ item, row }) => (
          <Shape
            key={item.key}
            item={item}
            x={x(item.at)}
            untilX={x(item.until ?? item.at)}
            y={shapesAt + row * shapeSize}
            isSelected={item.key === selected}
          />
        ))}
      </svg>
    </div>
  );
}

/** Each in a row where it covers nothing, if there is one. */
function placed(items: readonly TimelineItem[], x: (at: number) => number) {
  const lastX: number[] = Array(rows).fill(Number.NEGATIVE_INFINITY);
  return items.map((item) => {
    const free = lastX.findIndex((last) => x(item.at) - last >= shapeSize);
    const row = free === -1 ? lastX.indexOf(Math.min(...lastX)) : free;
    lastX[row] = x(item.at);
    return { item, row };
  });
}

interface PlaceProps {
  readonly x: number;
  readonly untilX: number;
}

function Bar({ run: { job }, x, untilX }: PlaceProps & { readonly run: TimelineRun }) {
  const [, tone] = lookOf(job?.status ?? '');
  return (
    // The run is also in the table, which keyboards reach.
    // biome-ignore lint/a11y/noStaticElementInteractions: the mouse's short way only
    <rect
      class={job === null ? 'planned' : `run ${tone}`}
      x={x}
      y={runsAt}
      width={Math.max(3, untilX - x)}
      height={runHeight}
      onClick={() => job !== null && navigate(`/runs/${job.id}`)}
    >
      <title>{job === null ? 'a run to come' : `job ${job.id}: ${job.status}`}</title>
    </rect>
  );
}

interface ShapeProps extends PlaceProps {
  readonly item: TimelineItem;
  readonly y: number;
  readonly isSelected: boolean;
}

function Shape({ item: { key, reason, sentence }, x, untilX, y, isSelected }: ShapeProps) {
  const [shape, tone] = lookOf(reason);
  if (reason === 'clock change') {
    return (
      <g class="clock-change" transform={`translate(${x})`}>
        <title>{sentence}</title>
        <path d={`M0 0V${ticksAt}`} />
        <text y={10}>{shape}</text>
      </g>
    );
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the sentence is also in the table
    <g class={tone} data-reason={reason} onClick={() => setQuery({ entry: key })}>
      <title>{sentence}</title>
      {untilX > x && <path class="range" d={`M${x} ${y - 5}H${untilX}`} />}
      <circle class={isSelected ? 'target selected' : 'target'} cx={x} cy={y - 5} r={10} />
      <text x={x} y={y}>
        {shape}
      </text>
    </g>
  );
}

/** The width of an element, in pixels. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(800);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(100, entry?.contentRect.width ?? 0)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
