import t from 'tap';
import { Together } from '../../../procedures/mail/together.js';

t.test('what is asked for at the same time, and while other work is done, is done together', async (t) => {
  const batches: string[][] = [];
  let goOn = () => {};
  const together = new Together<string, string>(async (items) => {
    batches.push([...items]);
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    return (item) => item.toUpperCase();
  });
  const first = [together.add('a'), together.add('b')];
  while (batches.length === 0) await new Promise(setImmediate);
  const later = [together.add('c'), together.add('d')];
  goOn();
  t.same(await Promise.all(first), ['A', 'B']);
  while (batches.length === 1) await new Promise(setImmediate);
  goOn();
  t.same(await Promise.all(later), ['C', 'D']);
  t.same(batches, [
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

t.test('what fails fails for all of them, and the next go on', async (t) => {
  let fails = true;
  const together = new Together<number, number>(async () => {
    if (fails) throw new Error('the database is away');
    return (item) => item + 1;
  });
  const both = await Promise.allSettled([together.add(1), together.add(2)]);
  t.same(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  fails = false;
  t.equal(await together.add(1), 2);
});
