// The table in docs/configuration.md tells what src/site/settings.ts defines: `npm run docs` writes it anew.

import t from 'tap';
import { aboutSetting, settingNames } from '../src/site/resolve-settings.js';
import { checkWrittenPart } from './support/written-part.js';

function table(): string {
  const rows = settingNames.map((name) => {
    const { text, environment, allowed, defaultText } = aboutSetting(name);
    const variables = environment.map((variable) => `\`${variable}\``).join(', ') || '—';
    // A page would take `<void>` for an element of its own.
    const limits = allowed.replaceAll('<', '&lt;');
    return [`\`${name}\``, `${text} Allowed: ${limits}.`, defaultText, variables];
  });
  const head = ['setting', 'what it decides', 'default', 'environment'];
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

t.test('docs/configuration.md lists every setting as it is defined; else run `npm run docs`', async (t) => {
  checkWrittenPart(t, 'docs/configuration.md', 'settings', table());
});

t.test('no text of a setting would break the table', async (t) => {
  for (const name of settingNames) {
    const { text, allowed, defaultText } = aboutSetting(name);
    t.notMatch([text, allowed, defaultText].join(' '), /[|\n]/, name);
  }
});
