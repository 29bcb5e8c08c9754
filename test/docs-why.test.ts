// The table of reasons in docs/why.md is what src/tasks/reasons.ts says: `npm run docs` writes it anew.

import t from 'tap';
import { reasonMeanings, reasons } from '../src/tasks/reasons.js';
import { checkWrittenPart } from './support/written-part.js';

function table(): string {
  const rows = reasons.map((reason) => {
    const { means, told } = reasonMeanings[reason];
    return [`\`${reason}\``, means, told.map((example) => `*${example}*`).join('; ')];
  });
  const head = ['reason', 'what it means', 'what is told with it, for example'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

t.test('docs/why.md lists every reason as it is defined; else run `npm run docs`', async (t) => {
  checkWrittenPart(t, 'docs/why.md', 'reasons', table());
});
