// Kysely's SQLite dialect, with the few necessary changes.

import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryCompiler,
  type SelectModifierNode,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
} from 'kysely';
import type { RetryingConnection } from './connection.js';

/** Kysely's SQLite dialect over one connection. */
export class FileDialect extends SqliteDialect {
  readonly #connection: RetryingConnection;

  constructor(connection: RetryingConnection) {
    super({ database: connection.database });
    this.#connection = connection;
  }

  override createDriver(): Driver {
    return new FileDriver(this.#connection);
  }

  override createQueryCompiler(): QueryCompiler {
    return new LocklessQueryCompiler();
  }
}

/** Omits `for update` and the like: a transaction locks the whole file from its beginning. */
class LocklessQueryCompiler extends SqliteQueryCompiler {
  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (node.modifier === 'Distinct' || node.modifier === undefined) super.visitSelectModifier(node);
  }
}

/**
 * Takes the write lock at the beginning of a transaction. By default, SQLite refuses a transaction that first
 * reads and then writes, without waiting, if another process wrote in between (SQLITE_BUSY_SNAPSHOT).
 */
class FileDriver extends SqliteDriver {
  readonly #connection: RetryingConnection;

  constructor(connection: RetryingConnection) {
    super({ database: connection.database });
    this.#connection = connection;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    // There is one connection; the mutex of the base class serialises its users.
    await super.acquireConnection();
    return this.#connection;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  /** After some errors, such as a full disk, SQLite has already rolled back. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.database.inTransaction) await super.rollbackTransaction(connection);
  }
}
