/** What the tables of a store need of a SQLite, whoever has it: `node:sqlite`, or a Durable Object. */
export interface Sql {
  prepare(text: string): SqlStatement
}

/** One statement; values stand for its `?`, in order. */
export interface SqlStatement {
  get(...values: SqlValue[]): Row | undefined
  all(...values: SqlValue[]): Row[]
  iterate(...values: SqlValue[]): Iterable<Row>
  run(...values: SqlValue[]): void
}

export type SqlValue = string | number | null

/** One row, by column. */
export type Row = Readonly<Record<string, unknown>>
