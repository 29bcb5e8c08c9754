// Loads what runs have of the database when it is first needed.

import * as database from './database.js';

/** In the program of the runs, scripts/runs-program.mjs has this load it when it is asked for. */
export const lateDatabase = (): typeof database => database;
