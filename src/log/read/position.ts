// Where a record is in a log. A position stays valid when its file is renamed, compressed, or copied and emptied.

export interface Position {
  /** The fingerprint of the file's first line. */
  readonly file: string;
  /** In bytes of the unpacked file. */
  readonly offset: number;
}

/** As text for addresses: letters, digits, `-`, `_` and one dot. */
export function positionText({ file, offset }: Position): string {
  return `${file}.${offset}`;
}

/** @returns undefined for other text */
export function parsePosition(text: string): Position | undefined {
  const [, file, offset] = /^([\w-]{22})\.(\d{1,15})$/.exec(text) ?? [];
  return file === undefined ? undefined : { file, offset: Number(offset) };
}
