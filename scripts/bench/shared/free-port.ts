// A port of 127.0.0.1 that nobody listens on.

import { createServer } from 'node:net';

/** It stays free unless somebody else takes it before the caller does. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
