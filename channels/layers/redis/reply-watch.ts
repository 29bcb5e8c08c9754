// Notices that a connection with commands under way has fallen silent.

import type { Redis } from 'ioredis';

/**
 * Calls `onSilent` when commands are under way and nothing at all has come for `withinMs`, unless a reply already lies
 * there: after the event loop has stood still, Node runs the timers that are due before it reads what has come
 * meanwhile, and a command that was carried out would be told as failed. ioredis' own `socketTimeout` does that.
 */
export function watchReplies(client: Redis, withinMs: number, onSilent: () => void): void {
  let heard = 0;
  let isEnded = false;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const before = heard;
    // Runs when what has come was read.
    setImmediate(() => {
      if (isEnded || client.commandQueue.length === 0) return;
      if (heard === before) onSilent();
      else timer?.refresh();
    });
  };
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    if (client.commandQueue.length === 0 && !isEnded) {
      clearTimeout(timer);
      timer = setTimeout(look, withinMs).unref();
    }
    return send(command, stream);
  };
  client.once('connect', () =>
    client.stream.on('data', () => {
      heard++;
      // A process that has nothing to do is not to wake for this.
      if (client.commandQueue.length === 0) clearTimeout(timer);
      else timer?.refresh();
    }),
  );
  client.once('end', () => {
    isEnded = true;
    clearTimeout(timer);
  });
}
