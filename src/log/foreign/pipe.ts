// A stream of text, such as another program's output, brought into the log record by record.

import { type LineRecord, LineRecords } from './line-records.js';
import { LineSplitter } from './line-splitter.js';

export interface PipeOptions {
  readonly input: AsyncIterable<Buffer>;
  readonly onRecord: (record: LineRecord) => void;
  /** Waited for before more is read: so the log's pace becomes the program's. */
  readonly room: () => Promise<void>;
}

/** A record is not held back for its continuation longer than this. */
const idleMs = 100;

/** Reads a stream to its end. Memory is bounded, however long the stream and its lines are. */
export async function pipeRecords({ input, onRecord, room }: PipeOptions): Promise<void> {
  const splitter = new LineSplitter();
  const records = new LineRecords(onRecord);
  let idle: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of input) {
      clearTimeout(idle);
      for (const line of splitter.push(chunk)) records.add(line);
      idle = setTimeout(() => records.flush(), idleMs);
      await room();
    }
  } finally {
    clearTimeout(idle);
    const last = splitter.end();
    if (last !== undefined) records.add(last);
    records.flush();
  }
}
