"""The log's tables on both engines, and the fences that keep them append-only.

`stored_events` bears the library's name and columns, so that its own recorders can read it. On
SQLite the position must be called `rowid`: the library's queries ask for it by that name. A leaf
hash stands apart from its leaf, so that the tree is read without reading the events.

The fences are triggers that refuse UPDATE and DELETE (and TRUNCATE on PostgreSQL). They guard
against accidents; against intent there is the tree. A test that tampers takes them down first,
with the statements that `fences_down` gives, as an intruder with the owner's rights would.
"""

from typing import Final

from ledger.store.log import Engine

SCHEMA_VERSION: Final = 1
EVENTS: Final = "stored_events"
TABLES: Final = (EVENTS, "leaves", "idempotency")
SCHEMA_TABLE: Final = "log_schema"

# Two processes may create at once; the number is ours alone in the database ("custody" in ASCII).
CREATION_LOCK: Final = 0x637573746F6479

_SQLITE_TABLES: Final = (
    f"""CREATE TABLE IF NOT EXISTS {EVENTS} (
        rowid INTEGER PRIMARY KEY CHECK (rowid > 0),
        originator_id TEXT NOT NULL,
        originator_version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        state BLOB NOT NULL,
        UNIQUE (originator_id, originator_version))""",
    """CREATE TABLE IF NOT EXISTS leaves (
        position INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32))""",
    """CREATE TABLE IF NOT EXISTS idempotency (
        authority TEXT NOT NULL,
        key TEXT NOT NULL,
        command_hash BLOB NOT NULL,
        first_position INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (authority, key)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS idempotency_first_position ON idempotency (first_position)",
    f"CREATE TABLE IF NOT EXISTS {SCHEMA_TABLE} (version INTEGER NOT NULL)",
    f"INSERT INTO {SCHEMA_TABLE} SELECT {SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM {SCHEMA_TABLE})",
)

# Names are compared byte by byte: a change of the server's collation cannot spoil an index. PostgreSQL asks the indexes
# of a table in the order in which they were made, the primary key first. So of two that race, the later waits at its
# first position with nothing of its own in any other index, and the earlier never waits for it in turn.
_POSTGRES_TABLES: Final = (
    f"SELECT pg_advisory_xact_lock({CREATION_LOCK})",
    f"""CREATE TABLE IF NOT EXISTS {EVENTS} (
        notification_id bigint PRIMARY KEY CHECK (notification_id > 0),
        originator_id text COLLATE "C" NOT NULL,
        originator_version bigint NOT NULL,
        topic text NOT NULL,
        state bytea NOT NULL,
        UNIQUE (originator_id, originator_version))""",
    """CREATE TABLE IF NOT EXISTS leaves (
        position bigint PRIMARY KEY,
        event_id text COLLATE "C" NOT NULL UNIQUE,
        leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32))""",
    """CREATE TABLE IF NOT EXISTS idempotency (
        authority text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        command_hash bytea NOT NULL,
        first_position bigint NOT NULL,
        count integer NOT NULL,
        PRIMARY KEY (authority, key))""",
    "CREATE INDEX IF NOT EXISTS idempotency_first_position ON idempotency (first_position)",
    f"CREATE TABLE IF NOT EXISTS {SCHEMA_TABLE} (version integer NOT NULL)",
    f"INSERT INTO {SCHEMA_TABLE} SELECT {SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM {SCHEMA_TABLE})",
    """CREATE OR REPLACE FUNCTION log_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '42501';
        END $$""",
)

SQLITE_FENCES: Final = tuple(f"{table}_refuses_{act}" for table in TABLES for act in ("update", "delete"))
POSTGRES_FENCES: Final = tuple(f"{table}_refuses_change" for table in TABLES)


def sqlite_statements() -> list[str]:
    """What makes an empty SQLite file a log, and leaves a log as it is."""
    fences = [
        f"CREATE TRIGGER IF NOT EXISTS {table}_refuses_{act} BEFORE {act} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {act} refused'); END"
        for table in TABLES
        for act in ("update", "delete")
    ]
    return [*_SQLITE_TABLES, *fences]


def postgres_statements() -> list[str]:
    """What makes an empty PostgreSQL schema a log, and leaves a log as it is; to run in one transaction."""
    fences = [
        f"CREATE OR REPLACE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION log_refuses_change()"
        for table in TABLES
    ]
    return [*_POSTGRES_TABLES, *fences]


def fences_down(engine: Engine) -> list[str]:
    """The statements after which rows can be changed by hand; `check` names each fence that is down."""
    if engine == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {fence}" for fence in SQLITE_FENCES]
    return [f"ALTER TABLE {table} DISABLE TRIGGER {table}_refuses_change" for table in TABLES]
