import { PassThrough } from 'node:stream';
import t from 'tap';
import { Screen } from '../../../src/commands/screen.js';

/** Streams that say that they are a terminal, and remember what was done to it. */
function terminal({ isTTY = true } = {}) {
  const modes: boolean[] = [];
  const keyboard = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode: (mode: boolean) => modes.push(mode),
  });
  const display = Object.assign(new PassThrough(), { isTTY: true, rows: 7 });
  const streams = { input: keyboard, output: display } as unknown as ConstructorParameters<typeof Screen>[0];
  return { streams, keyboard, display, modes, written: () => String(display.read() ?? '') };
}

t.test('the terminal is given back as it was', async (t) => {
  const { streams, display, modes, written, keyboard } = terminal();
  const exits = process.listenerCount('exit');
  const screen = new Screen(
    streams,
    () => undefined,
    () => undefined,
  );
  t.match(written(), '\x1b[?1049h\x1b[?25l');
  screen.draw(['one', 'two']);
  t.equal(written(), '\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J');
  screen.close();
  screen.close();
  t.equal(written(), '\x1b[?7h\x1b[?25h\x1b[?1049l', 'once');
  screen.draw(['late']);
  t.equal(written(), '', 'nothing is drawn afterwards');
  t.same(modes, [true, false]);
  t.equal(process.listenerCount('exit'), exits);
  t.equal(display.listenerCount('resize') + keyboard.listenerCount('data'), 0);
});

t.test('q, Ctrl-C and Escape end, other keys do not', async (t) => {
  const { streams, keyboard } = terminal();
  let ends = 0;
  const screen = new Screen(
    streams,
    () => ends++,
    () => undefined,
  );
  const press = async (keys: string) => {
    const before = ends;
    keyboard.write(keys);
    await new Promise((resolve) => setImmediate(resolve));
    return ends - before;
  };
  for (const keys of ['q', 'Q', '\x03', '\x1b', 'xq']) t.equal(await press(keys), 1, JSON.stringify(keys));
  for (const keys of ['x', '\x1b[A', ' ']) t.equal(await press(keys), 0, JSON.stringify(keys));
  screen.close();
});

t.test('another size is told, and known', async (t) => {
  const { streams, display } = terminal();
  let resizes = 0;
  const screen = new Screen(
    streams,
    () => undefined,
    () => resizes++,
  );
  t.equal(screen.rows, 7);
  display.rows = 50;
  display.emit('resize');
  t.equal(resizes, 1);
  t.equal(screen.rows, 50);
  screen.close();
});

t.test('without a keyboard it shows all the same', async (t) => {
  const { streams, modes } = terminal({ isTTY: false });
  new Screen(
    streams,
    () => undefined,
    () => undefined,
  ).close();
  t.same(modes, []);
});
