// Notices that a connection with commands under way has fallen silent.

import type { Redis } from 'ioredis';

/**
 * Calls `onSilent` when commands are under way and nothing at all has come for `withinMs`, unless a reply already lies
 * there: after the event loop has stood still, Node runs the timers that are due before it reads what has come
 * meanwhile, and a command that was carried out would be told as failed. ioredis' own `socketTimeout` does that.
 *
 * A busy connection has one timer, which looks when it goes off how long ago something was heard, and not one for each command.
 */
export function watchReplies(client: Redis, withinMs: number, onSilent: () => void): void {
  /** When something last came, or the first of the commands under way was sent. */
  let heardAt = 0;
  let timerSetAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  const isWaitedFor = () => !isEnded && client.commandQueue.length > 0;
  const lookIn = (ms: number) => {
    timerSetAt = performance.now();
    timer = setTimeout(look, ms).unref();
  };
  const look = () => {
    timer = undefined;
    if (!isWaitedFor()) return;
    const restMs = heardAt + withinMs - performance.now();
    if (restMs > 0) {
      lookIn(Math.ceil(restMs));
      return;
    }
    const before = heardAt;
    // Runs when what has come was read.
    setImmediate(() => {
      if (!isWaitedFor() || timer !== undefined) return;
      if (heardAt === before) onSilent();
      else lookIn(withinMs);
    });
  };
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    if (client.commandQueue.length === 0 && !isEnded) {
      heardAt = performance.now();
      if (timer === undefined) lookIn(withinMs);
      // A process that sends a command now and then is not to wake for those that are answered.
      else if (heardAt - timerSetAt > withinMs / 2) {
        timer.refresh();
        timerSetAt = heardAt;
      }
    }
    return send(command, stream);
  };
  client.once('connect', () =>
    client.stream.on('data', () => {
      heardAt = performance.now();
    }),
  );
  client.once('end', () => {
    isEnded = true;
    clearTimeout(timer);
  });
}
