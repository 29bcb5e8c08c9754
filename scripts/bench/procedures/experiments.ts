// What is measured, by the words that `--only` takes.

import type { Found } from '../shared/results.js';
import { checkData } from './checkdata.js';
import { clearing } from './clearing.js';
import { mailsByOutbox, mailsByPool } from './mail.js';
import { summary } from './summary.js';

export interface Context {
  /** An empty directory, for this measurement alone. */
  readonly directory: string;
  /** A quick run only shows that everything can be measured. */
  readonly quick: boolean;
}

export interface Experiment {
  /** By which `--only` and the table know it. */
  readonly key: string;
  readonly contestants: Readonly<Record<string, (context: Context) => Promise<Found>>>;
}

export const experiments: readonly Experiment[] = [
  { key: 'checkdata', contestants: { linod: checkData } },
  { key: 'summary', contestants: { linod: summary } },
  { key: 'clearing', contestants: { linod: clearing } },
  { key: 'mail', contestants: { linod: mailsByOutbox, nodemailer: mailsByPool } },
];
