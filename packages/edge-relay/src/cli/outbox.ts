/** `outbox`: the tables of an outbox, for those whose relay may not make them. */
import { BusError } from '@crosstown/bus/protocol'
import { Command, Option } from 'commander'
import { writeLine } from './output.ts'

interface OutboxFlags {
  readonly printSql?: boolean
  readonly engine: 'postgres' | 'sqlite'
  readonly schema: string
}

/** `crosstown-relay outbox --print-sql [--engine sqlite]`. */
export function outboxCommand(): Command {
  return new Command('outbox')
    .description('the tables in which applications leave events, as SQL')
    .option('--print-sql', 'print what makes them where they are missing')
    .addOption(
      new Option('--engine <name>', 'whose SQL')
        .choices(['postgres', 'sqlite'])
        .default('postgres'),
    )
    .option('--schema <name>', 'schema of the tables in PostgreSQL', 'crosstown')
    .action(async ({ engine, printSql, schema }: OutboxFlags) => {
      if (!printSql) throw new BusError('invalid_options', 'say --print-sql')
      if (engine === 'sqlite') {
        const { sqliteOutboxSql } = await import('../outbox/sqlite-tables.ts')
        return writeLine(sqliteOutboxSql().trimEnd())
      }
      const { postgresOutboxSql } = await import('../outbox/postgres-tables.ts')
      return writeLine(postgresOutboxSql(schema).trimEnd())
    })
}
