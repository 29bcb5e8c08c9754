import { createRequire } from 'node:module';

const manifest: { readonly version: string } = createRequire(import.meta.url)('linod/package.json');

/**
 * The version of this program. The package's own name leads to package.json from the sources and from dist
 * alike.
 */
export const version = manifest.version;
