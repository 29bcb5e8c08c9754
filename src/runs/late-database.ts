// Loads what runs have of the database when it is first needed.

import * as database from './database.js';

/** In the program of the runs, scripts/facades.mjs puts a `require` here, so that this is not loaded before. */
export const lateDatabase = (): typeof database => database;
