/** The connections of a relay to the database of an application. */
import { randomUUID } from 'node:crypto'
import { BusError, type Durability } from '@crosstown/bus/protocol'
import postgres from 'postgres'
import type { Signal } from '../stores/engine/driver.ts'
import type { PostgresAddress } from '../stores/postgres-address.ts'
import { type PostgresClient, PostgresDriver, type Sql } from '../stores/postgres-client.ts'
import { channelOf, OUTBOX_FORMAT, postgresOutboxSql } from './postgres-tables.ts'

/** Taken while tables are made. */
const SETUP_LOCK = 1_668_442_996
/** PostgreSQL's code for a right that is missing. */
const NO_RIGHT = '42501'

export class PostgresOutboxDriver extends PostgresDriver {
  readonly #schema: string
  /** Names the tables, also where another connection looks at them. */
  id: string = randomUUID()

  constructor(address: PostgresAddress) {
    super(address)
    this.#schema = address.schema
  }

  override async open({ sql }: PostgresClient): Promise<Durability> {
    try {
      await this.#prepare(sql)
    } catch (cause) {
      if (!(cause instanceof postgres.PostgresError && cause.code === NO_RIGHT)) throw cause
      const how = 'its owner can make them: crosstown-relay outbox --print-sql'
      const message = `the tables of the outbox cannot be used: ${cause.message}; ${how}`
      throw new BusError('log_unavailable', message, { cause })
    }
    return 'disk'
  }

  async #prepare(sql: Sql): Promise<void> {
    const schema = this.#schema
    const [made] = await sql`SELECT to_regclass(${`${schema}.outbox_refused`}) IS NOT NULL AS all`
    if (!made?.['all']) {
      // Several statements of one text are one transaction.
      const alone = `SELECT pg_advisory_xact_lock(${SETUP_LOCK});`
      await sql.unsafe(`${alone} ${postgresOutboxSql(schema)}`).simple()
    }
    const [format] = await sql<{ version: number; id: string }[]>`
      SELECT version, id FROM outbox_format`
    if (format?.version !== OUTBOX_FORMAT) {
      const what = `its tables have format ${format?.version}, and this relay knows ${OUTBOX_FORMAT}`
      throw new BusError('log_damaged', `${what}: use the relay that made them, or another schema`)
    }
    this.id = format.id
  }

  /** What the trigger of the table says is nothing but that there is more. */
  override async listen(
    { sql }: PostgresClient,
    _node: string,
    take: (signal: Signal | undefined) => void,
  ): Promise<void> {
    const missed = (): void => take(undefined)
    await sql.listen(
      channelOf(this.#schema),
      (said) => {
        const [node = '', text] = said.split('\n')
        if (text === undefined) missed()
        else take({ node, room: '', text })
      },
      missed,
    )
  }

  override say({ sql }: PostgresClient, { node, text }: Signal): Promise<unknown> {
    return sql`SELECT pg_notify(${channelOf(this.#schema)}, ${`${node}\n${text}`})`.execute()
  }
}
