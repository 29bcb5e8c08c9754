// From where a console can be reached, and what that demands.

import { parseListenAddress } from '../../../channels/server/options.js';
import { BadConfigError } from '../../base/errors.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import { listAccounts } from './accounts.js';

/** Where a console listens when nobody says where. */
export const defaultListen = '127.0.0.1:8780';

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** Whether only this machine reaches an address: the loopback, or a Unix socket. */
export function isLocal(listen: string): boolean {
  const address = parseListenAddress(listen);
  if ('path' in address) return true;
  if (!('port' in address)) return false;
  const { host = '127.0.0.1' } = address;
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * The hosts that are served. A name of somebody else may lead to the loopback, so that his page reads the console:
 * there only its own names are served, and those that the site knows.
 */
export function servedHosts(listen: string, configured: readonly string[]): readonly string[] {
  const isTcpLoopback = isLocal(listen) && !('path' in parseListenAddress(listen));
  if (isTcpLoopback || configured.length > 0) return [...loopbackNames, ...configured];
  return ['*'];
}

/** @throws BadConfigError when other machines reach the console, and nobody could sign in but by a link */
export async function requireSignIn(site: Site, store: Store, listen: string): Promise<void> {
  const { consoleUser, consoleUserHeader, httpTrustedProxies } = site.settings;
  if (consoleUserHeader !== '' && httpTrustedProxies.length === 0)
    throw new BadConfigError(
      site.shorten(site.configFile),
      'consoleUserHeader',
      'no proxy is trusted to send it: httpTrustedProxies is empty',
    );
  if (isLocal(listen) || consoleUser !== null || consoleUserHeader !== '') return;
  if ((await listAccounts(store)).length > 0) return;
  throw new BadConfigError(
    site.shorten(site.configFile),
    'console',
    `other machines reach ${listen}, and there are no accounts: add one with "linod console user add NAME", ` +
      'or set consoleUserHeader or consoleUser',
  );
}
