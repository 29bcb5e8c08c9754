// linod push: sends to users' browsers, and looks after their subscriptions.

import { Command } from 'commander';
import { keysCommand } from './push/keys.js';
import { listCommand } from './push/list.js';
import { queueCommand } from './push/queue.js';
import { removeCommand } from './push/remove.js';
import { sendCommand } from './push/send.js';

export function pushCommand(): Command {
  const push = new Command('push')
    .description("send to users' browsers, and look after their subscriptions: see docs/push.md")
    .addHelpText(
      'after',
      '\nExample:\n  $ linod push keys\n  $ linod push send --user ann --title "Order 17 was paid"\n  $ linod push queue',
    );
  for (const command of [sendCommand(), queueCommand(), listCommand(), removeCommand(), keysCommand()]) {
    push.addCommand(command);
  }
  return push;
}
