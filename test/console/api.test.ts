// The API of the console, without a browser. What depends on the database is claimed of PostgreSQL, too.

// The first has to wait for its site before it has tests: a run of tests ends when none is left.
await import('./api/runs.js');
await import('./api/access.js');
await import('./api/accounts.js');
await import('./api/rules.js');
await import('./api/stream.js');
await import('./api/downloads.js');
