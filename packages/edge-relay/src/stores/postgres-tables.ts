/** The tables of the store in PostgreSQL, and what of them is for others to read. */

/** Format of the tables. */
export const FORMAT = 1

/** Taken while tables are made, so that nodes that start at once do not make them twice. */
export const SETUP_LOCK = 1_668_442_995

/**
 * Makes what is missing in the schema; `schema` is quoted already. The row of a room in `rooms` is what
 * its writers wait for each other at: a number from a sequence is given before the commit, so that
 * readers would pass over what commits late.
 */
export function tablesIn(schema: string): string {
  return `
  CREATE SCHEMA IF NOT EXISTS ${schema};
  CREATE TABLE IF NOT EXISTS ${schema}.format (version integer NOT NULL);
  INSERT INTO ${schema}.format SELECT ${FORMAT} WHERE NOT EXISTS (SELECT 1 FROM ${schema}.format);
  CREATE TABLE IF NOT EXISTS ${schema}.rooms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" UNIQUE,
    epoch text NOT NULL,
    version bigint NOT NULL,
    place bigint NOT NULL,
    "check" text NOT NULL,
    chain text NOT NULL,
    time double precision NOT NULL,
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    first_place bigint NOT NULL DEFAULT 0,
    first_check text NOT NULL DEFAULT '0',
    first_chain text NOT NULL DEFAULT ''
  ) WITH (fillfactor = 50);
  CREATE INDEX IF NOT EXISTS rooms_nameless ON ${schema}.rooms (id) WHERE name IS NULL;
  CREATE TABLE IF NOT EXISTS ${schema}.records (
    room bigint NOT NULL,
    place bigint NOT NULL,
    count integer NOT NULL,
    time double precision NOT NULL,
    bytes integer NOT NULL,
    device text,
    batch bigint,
    last_id text NOT NULL,
    indexes text,
    refused text,
    earlier text,
    headers text NOT NULL,
    data text NOT NULL,
    before text NOT NULL,
    chain text NOT NULL,
    PRIMARY KEY (room, place)
  );
  CREATE INDEX IF NOT EXISTS records_by_time ON ${schema}.records (room, time, place);
  CREATE TABLE IF NOT EXISTS ${schema}.ids (
    room bigint NOT NULL,
    prefix text COLLATE "C" NOT NULL,
    counter bigint NOT NULL,
    place bigint NOT NULL,
    PRIMARY KEY (room, prefix, counter, place)
  );
  CREATE TABLE IF NOT EXISTS ${schema}.state (
    room bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (room, key)
  );
  CREATE TABLE IF NOT EXISTS ${schema}.trimmed_marks (
    room bigint NOT NULL,
    place bigint NOT NULL,
    "check" text NOT NULL,
    chain text NOT NULL,
    PRIMARY KEY (room, place)
  );
  CREATE TABLE IF NOT EXISTS ${schema}.trimmed_ids (
    room bigint NOT NULL,
    prefix text COLLATE "C" NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    place bigint NOT NULL,
    PRIMARY KEY (room, prefix, first)
  );
  CREATE INDEX IF NOT EXISTS trimmed_ids_by_place ON ${schema}.trimmed_ids (room, place);
  CREATE TABLE IF NOT EXISTS ${schema}.deleted (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    epoch text NOT NULL,
    UNIQUE (name, epoch)
  );
  CREATE UNLOGGED TABLE IF NOT EXISTS ${schema}.signals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    text text NOT NULL
  );
  CREATE OR REPLACE VIEW ${schema}.events AS
    SELECT rooms.name AS room,
           records.place + line.number - 1 AS place,
           line.header ->> 'id' AS id,
           line.header ->> 'type' AS type,
           line.header ->> 'stream' AS stream,
           (line.header ->> 'revision')::bigint AS revision,
           line.header ->> 'correlationId' AS correlation_id,
           to_timestamp(records.time / 1000) AS written_at,
           coalesce(line.header ->> 'encoding', 'json') AS encoding,
           line.header,
           line.data
    FROM ${schema}.rooms JOIN ${schema}.records ON records.room = rooms.id
    CROSS JOIN LATERAL (
      SELECT split.header::json AS header, split.data, split.number
      FROM ROWS FROM (
        unnest(string_to_array(records.headers, E'\\n')),
        unnest(string_to_array(records.data, E'\\n'))
      ) WITH ORDINALITY AS split (header, data, number)
    ) AS line
    WHERE rooms.name IS NOT NULL AND records.headers <> '';
`
}
