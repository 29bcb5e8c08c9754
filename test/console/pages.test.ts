// The pages of the console in a browser. One site and one tab serve all, because starting them takes longest.

// The first has to wait for the site before it has tests: a run of tests ends when none is left.
await import('./pages/rules.js');
await import('./pages/shell.js');
await import('./pages/channels.js');
await import('./pages/outbox.js');
await import('./pages/all.js');
await import('./pages/json.js');
await import('./pages/log-queue.js');
