import t from 'tap';
import { lateModule } from '../../../src/runs/late-module.js';

t.test('a module is loaded when something of it is first used, and once', (t) => {
  let loads = 0;
  const late = lateModule(() => {
    loads++;
    return { name: 'shop', open: () => 'opened' };
  });
  t.equal(Reflect.get(late, '__esModule'), undefined);
  t.equal(loads, 0, 'who only imports it does not load it');
  t.equal(Reflect.get(late, 'name'), 'shop');
  t.equal(Reflect.get(late, 'open')(), 'opened');
  t.equal(Reflect.get(late, 'shut'), undefined);
  t.equal(loads, 1);
  t.end();
});

t.test('who looks for all names of a module gets them', (t) => {
  const late = lateModule(() => Object.freeze({ name: 'shop', size: 3 }));
  t.same({ ...late }, { name: 'shop', size: 3 });
  t.same(Object.getOwnPropertyNames(late), ['name', 'size']);
  t.ok('size' in late);
  t.notOk('age' in late);
  t.equal(Object.getOwnPropertyDescriptor(late, 'age'), undefined);
  t.end();
});
