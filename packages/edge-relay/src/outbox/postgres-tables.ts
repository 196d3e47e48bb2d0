/** The outbox in PostgreSQL: the tables, and the function that an application calls. */
import { schemaNamed } from '../stores/postgres-address.ts'

/** Format of the tables. */
export const OUTBOX_FORMAT = 1

/** The channel on which the table says that there is more. */
export function channelOf(schema: string): string {
  return `${schema}_outbox`
}

/** Makes what is missing; run once, by whoever may make tables. */
export function postgresOutboxSql(schema = 'crosstown'): string {
  schemaNamed(schema)
  return `-- The outbox of Crosstown: rows inserted here are published once, as soon as their transaction commits.
DO $$ BEGIN
  -- IF NOT EXISTS would ask for the right to make schemas also where it is there.
  IF to_regnamespace('${schema}') IS NULL THEN CREATE SCHEMA ${schema}; END IF;
END $$;
CREATE TABLE IF NOT EXISTS ${schema}.outbox_format (
  version integer NOT NULL,
  -- Names these tables, however they are reached.
  id text NOT NULL
);
INSERT INTO ${schema}.outbox_format
  SELECT ${OUTBOX_FORMAT}, gen_random_uuid()::text WHERE NOT EXISTS (SELECT 1 FROM ${schema}.outbox_format);
-- Which relay drains it, and until when.
CREATE TABLE IF NOT EXISTS ${schema}.outbox_lease (
  holder text NOT NULL,
  until timestamptz NOT NULL
) WITH (fillfactor = 50);
INSERT INTO ${schema}.outbox_lease
  SELECT '', '-infinity' WHERE NOT EXISTS (SELECT 1 FROM ${schema}.outbox_lease);
CREATE TABLE IF NOT EXISTS ${schema}.outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL DEFAULT gen_random_uuid()::text,
  room text NOT NULL,
  type text NOT NULL,
  data jsonb,
  value text,
  stream text,
  expected_revision bigint,
  correlation_id text,
  causation_id text,
  traceparent text,
  metadata jsonb,
  source text NOT NULL DEFAULT 'outbox',
  version integer,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
  -- Rows come and go: what they leave is to be removed by how much it is, not by a share of nothing.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);
CREATE TABLE IF NOT EXISTS ${schema}.outbox_refused (
  seq bigint PRIMARY KEY,
  id text NOT NULL,
  room text NOT NULL,
  type text NOT NULL,
  data jsonb,
  value text,
  stream text,
  expected_revision bigint,
  correlation_id text,
  causation_id text,
  traceparent text,
  metadata jsonb,
  source text NOT NULL,
  version integer,
  created_at timestamptz NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE FUNCTION ${schema}.outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('${channelOf(schema)}', '');
  RETURN NULL;
END $$;
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_trigger
    WHERE tgrelid = '${schema}.outbox'::regclass AND tgname = 'outbox_wake')
  THEN
    CREATE TRIGGER outbox_wake AFTER INSERT ON ${schema}.outbox
      FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.outbox_wake();
  END IF;
END $$;
CREATE OR REPLACE FUNCTION ${schema}.publish(
  room text,
  type text,
  data jsonb DEFAULT NULL,
  stream text DEFAULT NULL,
  expected_revision bigint DEFAULT NULL,
  correlation_id text DEFAULT NULL,
  causation_id text DEFAULT NULL,
  metadata jsonb DEFAULT NULL,
  traceparent text DEFAULT NULL,
  source text DEFAULT 'outbox',
  id text DEFAULT NULL
) RETURNS text LANGUAGE sql VOLATILE AS $$
  WITH named AS (SELECT coalesce($11, gen_random_uuid()::text) AS id),
  put AS (
    INSERT INTO ${schema}.outbox (id, room, type, data, stream, expected_revision, correlation_id,
      causation_id, metadata, traceparent, source)
    SELECT named.id, $1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, 'outbox') FROM named
  )
  SELECT named.id FROM named
$$;
`
}
