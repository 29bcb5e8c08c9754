// Kysely's values, as far as they are used. Its types are imported from the package itself.

export {
  CompiledQuery,
  Kysely,
  OperatorNode,
  PostgresAdapter,
  PostgresDialect,
  PostgresQueryCompiler,
  PrimitiveValueListNode,
  QueryCreator,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
  sql,
  ValueListNode,
} from 'kysely';
