"""The tables. A new version appends a step to MIGRATIONS; steps never change once released."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    INSERT INTO meta VALUES ('revision', '0');
    CREATE TABLE resource (
      kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL,
      arn TEXT NOT NULL, name TEXT NOT NULL, parent TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
      revision INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL, tags TEXT NOT NULL,
      PRIMARY KEY (kind, id, account, region));
    CREATE INDEX resource_by_arn ON resource (arn);
    CREATE INDEX resource_by_parent ON resource (kind, parent);
    CREATE INDEX resource_by_status ON resource (status);
    CREATE TABLE edge (
      source_kind TEXT NOT NULL, source_id TEXT NOT NULL, role TEXT NOT NULL, target_kind TEXT NOT NULL, target_id TEXT NOT NULL,
      on_delete TEXT NOT NULL, PRIMARY KEY (source_kind, source_id, role, target_kind, target_id));
    CREATE INDEX edge_by_target ON edge (target_kind, target_id);
    CREATE TABLE change (
      revision INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT, at TEXT NOT NULL,
      caller TEXT NOT NULL, request_id TEXT NOT NULL);
    CREATE INDEX change_by_revision ON change (revision);
    CREATE TABLE token (key TEXT PRIMARY KEY, digest TEXT NOT NULL, response TEXT NOT NULL, at TEXT NOT NULL);
    CREATE TABLE log_event (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT, log_group TEXT NOT NULL, stream TEXT NOT NULL, timestamp INTEGER NOT NULL,
      ingestion INTEGER NOT NULL, message TEXT NOT NULL);
    CREATE INDEX log_event_by_stream ON log_event (log_group, stream, timestamp);
    CREATE TABLE cursor (name TEXT PRIMARY KEY, position TEXT NOT NULL);
    """,
    """
    CREATE TABLE object (
      bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, file TEXT NOT NULL,
      document TEXT NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
    CREATE TABLE upload_part (
      upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, file TEXT NOT NULL,
      PRIMARY KEY (upload, number)) WITHOUT ROWID;
    CREATE TABLE discarded_file (bucket TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (bucket, file)) WITHOUT ROWID;
    CREATE TABLE pending_record (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, batch TEXT NOT NULL DEFAULT '');
    CREATE INDEX pending_record_by_destination ON pending_record (destination, batch, sequence);
    CREATE TABLE metric (
      account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT NULL, minute INTEGER NOT NULL,
      unit TEXT NOT NULL, count REAL NOT NULL, sum REAL NOT NULL, minimum REAL NOT NULL, maximum REAL NOT NULL, spread TEXT NOT NULL,
      PRIMARY KEY (account, region, namespace, name, dimensions, minute, unit)) WITHOUT ROWID;
    CREATE INDEX metric_by_minute ON metric (minute);
    """,
    """
    CREATE INDEX resource_by_place ON resource (kind, account, region, created_at, id, status);
    CREATE INDEX resource_by_name ON resource (kind, name);
    """,
    """
    DROP INDEX resource_by_parent;
    CREATE INDEX resource_by_parent ON resource (kind, parent, name);
    """,
    """
    DROP INDEX edge_by_target;
    CREATE INDEX edge_by_target ON edge (target_kind, target_id, source_kind, source_id, role);
    """,
)
