/** The outbox in a SQLite file: the tables that an application inserts into. */

/** Format of the tables, beside whatever else the file has. */
export const OUTBOX_FORMAT = 1

/** Makes what is missing; run by the relay, or among the migrations of the application. */
export function sqliteOutboxSql(): string {
  return `-- The outbox of Crosstown: rows inserted here are published once, as soon as their transaction commits.
CREATE TABLE IF NOT EXISTS crosstown_outbox_format (version INTEGER NOT NULL) STRICT;
INSERT INTO crosstown_outbox_format
  SELECT ${OUTBOX_FORMAT} WHERE NOT EXISTS (SELECT 1 FROM crosstown_outbox_format);
CREATE TABLE IF NOT EXISTS crosstown_outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  room TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT,
  value TEXT,
  stream TEXT,
  expected_revision INTEGER,
  correlation_id TEXT,
  causation_id TEXT,
  traceparent TEXT,
  metadata TEXT,
  source TEXT NOT NULL DEFAULT 'outbox',
  version INTEGER,
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
) STRICT;
CREATE TABLE IF NOT EXISTS crosstown_outbox_refused (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  room TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT,
  value TEXT,
  stream TEXT,
  expected_revision INTEGER,
  correlation_id TEXT,
  causation_id TEXT,
  traceparent TEXT,
  metadata TEXT,
  source TEXT NOT NULL,
  version INTEGER,
  created_at INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  refused_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
) STRICT;
`
}
