// The embedded database: one SQLite file in the site's directory.

import type { Backend } from './backend.js';
import { RetryingConnection } from './sqlite/connection.js';
import { FileDialect } from './sqlite/dialect.js';
import { mayOnlyRead, openFile } from './sqlite/open-file.js';

/** A SQLite file as a site's database. */
export function sqliteBackend(path: string): Backend {
  const dialect = () => new FileDialect(new RetryingConnection(path, openFile(path)));
  return {
    name: path,
    isReadOnly: mayOnlyRead(path),
    sharedDialect: dialect,
    ownDialect: dialect,
    time: null,
    follow: null,
    explain: (error) => error,
  };
}
