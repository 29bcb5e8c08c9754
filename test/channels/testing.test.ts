import t from 'tap';
import type { Application, Message } from '../../channels/index.js';
import { ApplicationCommunicator } from '../../channels/testing.js';

const scope = { type: 'test' };

const echo: Application = async (_scope, receive, send) => {
  for (;;) {
    const message = await receive();
    if (message.type === 'end') return;
    if (message.type === 'fail') throw new Error('broken');
    await send(message);
  }
};

t.test('what the application sends is received in order', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  for (const type of ['one', 'two', 'three']) await communicator.sendInput({ type });
  for (const type of ['one', 'two', 'three']) t.same(await communicator.receiveOutput(), { type });
  await communicator.stop();
});

t.test('the application is given the scope', async (t) => {
  const application: Application = async (given, _receive, send) => send({ type: 'scope', given });
  const communicator = new ApplicationCommunicator(application, scope);
  const { given } = await communicator.receiveOutput<Message & { given: unknown }>();
  t.equal(given, scope);
  await communicator.wait();
});

t.test('output that does not come is a typed error, and the application goes on', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  await t.rejects(communicator.receiveOutput(5), {
    code: 'CHANNELS_ERR_COMMUNICATOR_TIMEOUT',
    timeoutMs: 5,
    message: 'expected the application to send a message within 5 ms',
  });
  await communicator.sendInput({ type: 'late' });
  t.same(await communicator.receiveOutput(), { type: 'late' });
  await communicator.stop();
});

t.test('receiving nothing tells whether there is output, and leaves it there', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  t.equal(await communicator.receiveNothing(5), true);
  await communicator.sendInput({ type: 'some' });
  t.equal(await communicator.receiveNothing(1000), false);
  t.equal(await communicator.receiveNothing(5), false);
  t.same(await communicator.receiveOutput(), { type: 'some' });
  await communicator.stop();
  t.equal(await communicator.receiveNothing(10_000), true, 'an application that is over is not waited for');
});

t.test('the error of an application is passed to whoever talks to it', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  await communicator.sendInput({ type: 'before' });
  await communicator.sendInput({ type: 'fail' });
  t.same(await communicator.receiveOutput(), { type: 'before' }, 'what it sent before comes first');
  await t.rejects(communicator.receiveOutput(), { message: 'broken' });
  await t.rejects(communicator.wait(), { message: 'broken' });
  await t.rejects(communicator.sendInput({ type: 'more' }), { message: 'broken' });
  await t.rejects(communicator.stop(), { message: 'broken' });
});

t.test('an application that ended in peace sends nothing more', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  await communicator.sendInput({ type: 'end' });
  await communicator.wait();
  await t.rejects(communicator.receiveOutput(10_000), { code: 'CHANNELS_ERR_APPLICATION_OVER' });
});

t.test('waiting for an application that goes on is a typed error', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  await t.rejects(communicator.wait(5), { code: 'CHANNELS_ERR_COMMUNICATOR_TIMEOUT' });
  await communicator.stop();
});

t.test('stopping ends the wait of an application, and is safe twice', async (t) => {
  const communicator = new ApplicationCommunicator(echo, scope);
  await communicator.stop();
  await t.resolves(communicator.stop());
});

t.test('an application that does not end when it is stopped is a typed error', async (t) => {
  let end = () => {};
  const stubborn: Application = () =>
    new Promise((resolve) => {
      end = resolve;
    });
  const communicator = new ApplicationCommunicator(stubborn, scope);
  await t.rejects(communicator.stop(5), { code: 'CHANNELS_ERR_COMMUNICATOR_TIMEOUT' });
  end();
  await communicator.wait();
});
