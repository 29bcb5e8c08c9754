// The faults of a log, and where they are.

/**
 * - `missing`, `doubled`: numbers `from` … `to` of a sender; the line is the one where that was noticed;
 * - `disordered`: `number` follows the higher `after`;
 * - `torn`: a record without its end; `headless`: continuation lines without their record; `cut`: a last line
 *   without its newline; `foreign`: lines of other programs; `damaged`: lines with NUL bytes or invalid
 *   UTF-8;
 * - `unannounced`: a sender's lines without the note that says whose they are;
 * - `beheaded`: a file without the note that begins one;
 * - `missing-file`: a file between this one and the one before is missing;
 * - `shortened`: the writer had written more when it last saved its checkpoint;
 * - `unreadable`: from about this line on, the file could not be read.
 */
export type FaultKind =
  | 'missing'
  | 'doubled'
  | 'disordered'
  | 'torn'
  | 'headless'
  | 'cut'
  | 'foreign'
  | 'damaged'
  | 'unannounced'
  | 'beheaded'
  | 'missing-file'
  | 'shortened'
  | 'unreadable';

/** A fault. Its further fields depend on its kind. */
export interface Fault {
  readonly kind: FaultKind;
  readonly file: string;
  readonly line: number;
  /** The last of several lines. */
  readonly toLine?: number | undefined;
  readonly sender?: string | undefined;
  readonly epoch?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly number?: number | undefined;
  readonly after?: number | undefined;
  /** The beginning of the text there. */
  readonly text?: string | undefined;
  readonly problem?: string | undefined;
}

const mostListed = 1000;
const textLength = 80;

/** Collects faults: counts all, and keeps the first thousand of each kind. */
export class Faults {
  readonly #byKind = new Map<FaultKind, Fault[]>();
  count = 0;

  add(fault: Fault): void {
    const faults = this.#byKind.get(fault.kind) ?? [];
    this.#byKind.set(fault.kind, faults);
    const last = faults.at(-1);
    const joined = last && join(last, fault);
    if (joined !== undefined) {
      faults[faults.length - 1] = joined;
      return;
    }
    this.count++;
    if (faults.length === mostListed) return;
    faults.push(fault.text === undefined ? fault : { ...fault, text: shorten(fault.text) });
  }

  /** The same faults, to which others can be added. */
  copy(): Faults {
    const copy = new Faults();
    for (const [kind, faults] of this.#byKind) copy.#byKind.set(kind, [...faults]);
    copy.count = this.count;
    return copy;
  }

  /** In the order of the files, by line. @param files in their order */
  list(files: readonly string[]): Fault[] {
    const order = new Map(files.map((file, index) => [file, index]));
    const rank = ({ file }: Fault) => order.get(file) ?? files.length;
    return [...this.#byKind.values()].flat().sort((a, b) => rank(a) - rank(b) || a.line - b.line);
  }
}

const isOfLines = new Set<FaultKind>(['foreign', 'headless', 'damaged']);

/** Neighbouring lines are one fault, and so are doubled records whose numbers follow each other. */
function join(last: Fault, next: Fault): Fault | undefined {
  const { kind, file, line, sender, epoch, to } = next;
  if (last.file !== file || last.sender !== sender || last.epoch !== epoch) return undefined;
  if (isOfLines.has(kind) && (last.toLine ?? last.line) === line - 1) return { ...last, toLine: line };
  return kind === 'doubled' && to !== undefined && last.to === to - 1 ? { ...last, to } : undefined;
}

function shorten(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length <= textLength ? line : `${line.slice(0, textLength - 1)}…`;
}
