// Where a server of a site listens, with the certificate and the file modes of its settings.

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ListenAddress, TlsOptions } from '../../channels/server/index.js';
import { parseListenAddress } from '../../channels/server/options.js';
import { BadConfigError } from '../base/errors.js';
import type { Site } from '../site/site.js';

/** @throws BadConfigError for a wrong certificate or key; InvalidOptionError for an address that cannot be one */
export function addressesOf(site: Site, listen: readonly string[]): ListenAddress[] {
  const tls = tlsOf(site);
  return listen.map((text) => {
    const address = parseListenAddress(text);
    if ('path' in address) return { ...address, mode: Number.parseInt(site.settings.httpSocketMode, 8) };
    return tls === undefined ? address : { ...address, tls };
  });
}

/** @throws BadConfigError for a file that cannot be read, or a key that is not that of the certificate */
function tlsOf(site: Site): TlsOptions | undefined {
  const { httpCertificate, httpKey } = site.settings;
  if (httpCertificate === '' && httpKey === '') return undefined;
  const tls = { cert: readPem(site, 'httpCertificate'), key: readPem(site, 'httpKey') };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw badConfig(
      site,
      'httpKey',
      `expected the PEM files of a certificate and its key: ${messageOf(error)}`,
    );
  }
  return tls;
}

function readPem(site: Site, key: 'httpCertificate' | 'httpKey'): Buffer {
  const path = site.settings[key];
  if (path === '')
    throw badConfig(site, key, 'expected a file, as httpCertificate and httpKey belong together');
  try {
    return readFileSync(path);
  } catch (error) {
    throw badConfig(site, key, `cannot read ${path}: ${messageOf(error)}`);
  }
}

function badConfig(site: Site, key: string, problem: string): BadConfigError {
  return new BadConfigError(site.shorten(site.configFile), key, problem);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
