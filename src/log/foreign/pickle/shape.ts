// How deep a value is, and how large it would be if it were written out.

import { BadPickleError, PickleLimitError } from './errors.js';
import type { PickleLimits, PickleValue } from './values.js';

type Container = PickleValue[] | Map<PickleValue, PickleValue> | Set<PickleValue>;

interface Measured {
  readonly height: number;
  readonly size: number;
}

interface Visit {
  readonly container: Container;
  readonly children: PickleValue[];
  next: number;
  height: number;
  size: number;
}

/**
 * Few bytes can name one list twice in the next, and that one twice in the next: a small pickle, and a text without end
 * for whoever writes it out. Each container is looked at once, without recursion.
 *
 * @throws PickleLimitError (`LINOD_ERR_PICKLE_LIMIT`); BadPickleError when a value holds itself
 */
export function assertShape(value: PickleValue, { depth, expanded }: PickleLimits): void {
  if (!isContainer(value)) return;
  const measured = new Map<Container, Measured>();
  const open = new Set<Container>([value]);
  const path: Visit[] = [visit(value)];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const child = top.children[top.next];
    if (top.next === top.children.length) {
      path.pop();
      open.delete(top.container);
      const { height, size } = top;
      measured.set(top.container, { height, size });
      const above = path.at(-1);
      if (above !== undefined) add(above, { height, size });
      if (height > depth) throw new PickleLimitError('containers inside one another', depth);
      if (size > expanded) throw new PickleLimitError('values and bytes of text, written out,', expanded);
    } else if (child === undefined || !isContainer(child)) {
      add(top, { height: 0, size: sizeOf(child) });
      top.next++;
    } else if (open.has(child)) {
      throw new BadPickleError('the pickle has a value that holds itself');
    } else {
      top.next++;
      const known = measured.get(child);
      if (known !== undefined) add(top, known);
      else if (path.length > depth) throw new PickleLimitError('containers inside one another', depth);
      else {
        open.add(child);
        path.push(visit(child));
      }
    }
  }
}

function visit(container: Container): Visit {
  const children = container instanceof Map ? [...container].flat() : [...container];
  return { container, children, next: 0, height: 1, size: 1 };
}

function add(above: Visit, { height, size }: Measured): void {
  above.height = Math.max(above.height, height + 1);
  above.size += size;
}

function sizeOf(value: PickleValue | undefined): number {
  return 1 + (typeof value === 'string' || value instanceof Uint8Array ? value.length : 0);
}

function isContainer(value: PickleValue): value is Container {
  return Array.isArray(value) || value instanceof Map || value instanceof Set;
}
