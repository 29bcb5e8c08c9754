import { join } from 'node:path';
import t from 'tap';
import { openLayer } from '../../../../channels/index.js';
import { makeSite } from '../../../../src/commands/init.js';
import { linodProgram } from '../../../../src/commands/linod.js';
import { testDirectory } from '../../../support/directory.js';

const site = join(testDirectory(t), 'shop');
await makeSite(site, 'shop');

interface Wanted {
  readonly code: string;
  readonly message?: string | RegExp;
}

const wrong: ReadonlyArray<[words: readonly string[], error: Wanted]> = [
  [['pek'], { code: 'LINOD_ERR_USAGE', message: 'there is no command "pek", did you mean "peek"?' }],
  [['peek', 'bad name'], { code: 'CHANNELS_ERR_INVALID_NAME' }],
  [
    ['peek', 'mail', '--max', '0'],
    { code: 'LINOD_ERR_USAGE', message: 'expected --max to be a positive whole number, got: "0"' },
  ],
  [
    ['send', 'mail'],
    { code: 'LINOD_ERR_USAGE', message: /^expected the message to have a type that is text/ },
  ],
  [['send', 'mail', '[]'], { code: 'LINOD_ERR_USAGE', message: /^expected the message to be a JSON object/ }],
  [
    ['send', 'mail', '{"type":"x"}', '--type', 'y'],
    { code: 'LINOD_ERR_USAGE', message: 'the message has the type "x", and --type says "y"' },
  ],
  [['send', 'mail', '{"type":"x","__asgi_channel__":1}'], { code: 'CHANNELS_ERR_INVALID_MESSAGE' }],
  [['groups', 'a!b'], { code: 'CHANNELS_ERR_INVALID_NAME' }],
  [['--layer', 'memory:'], { code: 'LINOD_ERR_BAD_CONFIG', message: /channelLayer: .*, got: "memory:"$/ }],
];

for (const [words, error] of wrong) {
  t.test(`linod channels ${words.join(' ')} is refused`, async (t) => {
    await t.rejects(
      linodProgram().parseAsync(['channels', '--site', site, ...words], { from: 'user' }),
      error,
    );
  });
}

for (const words of [
  ['--layer', 'LAYER', 'peek', 'mail', '--json'],
  ['--json', 'peek', 'mail', '--layer', 'LAYER'],
]) {
  t.test(`${words.join(' ')} looks at that layer, and prints JSON`, async (t) => {
    const layer = `sqlite:${join(testDirectory(t), 'other.db')}`;
    // The file has to be there: looking makes none.
    const filled = await openLayer(layer);
    await filled.send('mail', { type: 'letter' });
    await filled.close();
    const given = words.map((word) => (word === 'LAYER' ? layer : word));
    const printed = t.capture(process.stdout, 'write', () => true);
    await linodProgram().parseAsync(['channels', '--site', site, ...given], { from: 'user' });
    const text = printed()
      .map(({ args }) => String(args[0]))
      .join('');
    printed.restore();
    t.match(JSON.parse(text), [{ message: { type: 'letter' } }]);
  });
}
