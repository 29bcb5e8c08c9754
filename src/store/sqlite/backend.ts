// The embedded database: one SQLite file in the site's directory.

import type { Backend } from '../backend.js';
import { RetryingConnection } from './connection.js';
import { FileDialect } from './dialect.js';
import { mayOnlyRead, openFile } from './open-file.js';

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
