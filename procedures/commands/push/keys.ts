// linod push keys: makes the keys by which push services know a site.

import { Command } from 'commander';
import { jsonOption, print, printJson, say } from '../../../src/commands.js';

export function keysCommand(): Command {
  return new Command('keys')
    .description('make a new pair of VAPID keys, as environment variables; nothing is stored')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nWho has subscribed with other keys has to subscribe anew.\n\nExample:\n  $ linod push keys >> .env',
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { loadWebPush } = await import('../../push/web-push.js');
      const { publicKey, privateKey } = (await loadWebPush()).generateKeys();
      if (json) return printJson({ vapidPublicKey: publicKey, vapidPrivateKey: privateKey });
      print(`LINOD_VAPID_PUBLIC_KEY=${publicKey}`);
      print(`LINOD_VAPID_PRIVATE_KEY=${privateKey}`);
      say('set LINOD_VAPID_SUBJECT, too: mailto: and an address at which push services may reach you');
    });
}
