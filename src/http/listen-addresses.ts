// Where a server of a site listens, with the certificate and the file modes of its settings.

import { readFileSync } from 'node:fs';
import type { ListenAddress } from '../../channels/server/index.js';
import { parseListenAddress } from '../../channels/server/options.js';
import type { Site } from '../site/site.js';

export function addressesOf(site: Site, listen: readonly string[]): Array<string | ListenAddress> {
  const { httpCertificate, httpKey, httpSocketMode } = site.settings;
  const tls =
    httpCertificate === '' ? undefined : { cert: readFileSync(httpCertificate), key: readFileSync(httpKey) };
  return listen.map((text) => {
    const address = parseListenAddress(text);
    if ('path' in address) return { ...address, mode: Number.parseInt(httpSocketMode, 8) };
    return tls === undefined ? address : { ...address, tls };
  });
}
