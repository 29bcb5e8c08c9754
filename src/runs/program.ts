// What threads and processes of runs execute.

import type { RunProgram } from './host.js';

/** The program of this very package. */
export const ownProgram: RunProgram = { url: new URL('./main.js', import.meta.url) };
