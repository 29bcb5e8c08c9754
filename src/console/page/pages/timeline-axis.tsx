// The axis of the timeline: runs as bars, decisions as shapes. It zooms by the wheel and moves by dragging. For whoever
// does not see it, the table below says the same.

import { useEffect, useRef, useState } from 'preact/hooks';
import { moved, type Period, ticksOf, zoomed } from '../parts/period.js';
import { lookOf } from '../parts/reason.js';
import { toneOf } from '../parts/status.js';
import { navigate } from '../router.js';
import { isWithin, type TimelineItem, type TimelineRun } from './timeline-items.js';

const height = 144;
const runsAt = 12;
const runHeight = 24;
/** Shapes that would cover one another stand below one another, in so many rows. */
const rows = 3;
const shapesAt = 62;
const shapeSize = 18;
const ticksAt = 114;
/** In pixels: how far a click may be from what it means, and from where a drag is one. */
const reach = 12;
const dragFrom = 4;
const tickWidth = 80;

interface TimelineAxisProps {
  readonly label: string;
  readonly period: Period;
  readonly now: number;
  readonly items: readonly TimelineItem[];
  readonly runs: readonly TimelineRun[];
  readonly selected: string;
  readonly onMove: (period: Period) => void;
  readonly onSelect: (item: TimelineItem) => void;
  readonly onHome: () => void;
}

export function TimelineAxis(props: TimelineAxisProps) {
  const { label, period, now, items, runs, selected, onMove, onSelect, onHome } = props;
  const element = useRef<HTMLDivElement>(null);
  const width = useWidth(element);
  const drag = useRef<{ readonly x: number; readonly period: Period; isMoved: boolean } | null>(null);
  const { from, to } = period;
  const x = (at: number) => Math.max(-1e4, Math.min(1e4, ((at - from) / (to - from)) * width));
  const shapes = shapesOf(
    items.filter((item) => isWithin(period, item.at, item.until)),
    x,
  );
  const shownRuns = runs.filter((run) => isWithin(period, run.from, run.to));
  const shareOf = (event: MouseEvent) =>
    (event.clientX - (element.current?.getBoundingClientRect().left ?? 0)) / width;

  const click = (event: MouseEvent) => {
    const { left = 0, top = 0 } = element.current?.getBoundingClientRect() ?? {};
    const [clickX, clickY] = [event.clientX - left, event.clientY - top];
    const run = nearest(shownRuns, (one) => awayFrom(clickX, x(one.from), x(one.to)));
    const shape = nearest(
      shapes,
      (one) => awayFrom(clickX, one.x, one.untilX ?? one.x) + Math.abs(clickY - one.y + shapeSize / 4) / rows,
    );
    const isRun = clickY < runsAt + runHeight + reach / 2;
    if (run?.job && (isRun || shape === null)) navigate(`/runs/${run.job.id}`);
    else if (shape !== null) onSelect(shape.item);
  };
  const keys: Readonly<Record<string, () => void>> = {
    '+': () => onMove(zoomed(period, 1 / 2)),
    '=': () => onMove(zoomed(period, 1 / 2)),
    '-': () => onMove(zoomed(period, 2)),
    ArrowLeft: () => onMove(moved(period, -0.2)),
    ArrowRight: () => onMove(moved(period, 0.2)),
    Home: onHome,
  };
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
        const action = event.ctrlKey || event.altKey || event.metaKey ? undefined : keys[event.key];
        if (action === undefined) return;
        event.preventDefault();
        action();
      }}
      onWheel={(event) => {
        event.preventDefault();
        const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (isSideways) onMove(moved(period, event.deltaX / width));
        else onMove(zoomed(period, 1.25 ** Math.max(-3, Math.min(3, event.deltaY / 50)), shareOf(event)));
      }}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        drag.current = { x: event.clientX, period, isMoved: false };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        const { current } = drag;
        if (current === null) return;
        const pixels = event.clientX - current.x;
        if (Math.abs(pixels) >= dragFrom) current.isMoved = true;
        if (current.isMoved) onMove(moved(current.period, -pixels / width));
      }}
      onPointerUp={(event) => {
        if (drag.current?.isMoved === false) click(event);
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
        {shownRuns.map(({ from: begin, to: end, job }) => (
          <rect
            key={job?.id ?? `f${begin}`}
            class={job === null ? 'run planned' : `run ${toneOf(job.status)}`}
            x={x(begin)}
            y={runsAt}
            width={Math.max(3, x(end) - x(begin))}
            height={runHeight}
          >
            <title>{job === null ? 'a run to come' : `job ${job.id}: ${job.status}`}</title>
          </rect>
        ))}
        {shapes.map((shape) => (
          <Shape key={shape.item.key} shape={shape} isSelected={shape.item.key === selected} />
        ))}
      </svg>
    </div>
  );
}

interface PlacedShape {
  readonly item: TimelineItem;
  readonly x: number;
  readonly y: number;
  readonly untilX: number | null;
}

function shapesOf(items: readonly TimelineItem[], x: (at: number) => number): PlacedShape[] {
  const lastX: number[] = Array(rows).fill(Number.NEGATIVE_INFINITY);
  return items.map((item) => {
    const itemX = x(item.at);
    const free = lastX.findIndex((last) => itemX - last >= shapeSize);
    const row = free === -1 ? lastX.indexOf(Math.min(...lastX)) : free;
    lastX[row] = itemX;
    const untilX = item.until === null ? null : x(item.until);
    return { item, x: itemX, y: shapesAt + row * shapeSize, untilX };
  });
}

interface ShapeProps {
  readonly shape: PlacedShape;
  readonly isSelected: boolean;
}

function Shape({ shape: { item, x, y, untilX }, isSelected }: ShapeProps) {
  const [shape, tone] = lookOf(item.reason);
  if (item.reason === 'clock change') {
    return (
      <g class="clock-change" transform={`translate(${x})`}>
        <title>{item.sentence}</title>
        <path d={`M0 0V${ticksAt}`} />
        <text y={10}>◷</text>
      </g>
    );
  }
  return (
    <g class={tone} data-reason={item.reason}>
      <title>{item.sentence}</title>
      {untilX !== null && <path class="range" d={`M${x} ${y - 5}H${untilX}`} />}
      {isSelected && <circle class="selected" cx={x} cy={y - 5} r={10} />}
      <text x={x} y={y}>
        {shape}
      </text>
    </g>
  );
}

/** What is closest to a click, if anything is close. */
function nearest<T>(all: readonly T[], distanceOf: (one: T) => number): T | null {
  let found: T | null = null;
  let least = reach;
  for (const one of all) {
    const distance = distanceOf(one);
    if (distance > least) continue;
    found = one;
    least = distance;
  }
  return found;
}

function awayFrom(at: number, first: number, last: number): number {
  return Math.max(0, first - at, at - last);
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
