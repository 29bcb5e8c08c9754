// What is loaded by `require`, when it is first needed.

import { createRequire } from 'node:module';

/** In the bundle of the runs' program, scripts/build.mjs puts that program's own `require` here: see runs/boot.ts. */
export const requireLate: NodeJS.Require = createRequire(import.meta.url);
