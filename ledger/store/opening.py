"""Opening the log that a URL names, on the engine that it names.

The engines are imported here when they are asked for: the command line starts without the library,
and SQLite needs no PostgreSQL driver.
"""

from ledger.store.log import Engine, EventLog


class AddressIsUnknown(ValueError):
    """The database URL names no engine that the log knows, or leaves open which of several servers is meant."""

    def __init__(self, what: str = "begins with neither sqlite:/// nor postgresql://") -> None:
        # The URL itself may hold a password and is not repeated.
        super().__init__(f"the database URL {what}")


def engine_of(url: str) -> Engine:
    """The engine that a database URL names."""
    if url.startswith("sqlite:///") and url != "sqlite:///":
        return "sqlite"
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql"
    raise AddressIsUnknown


def open_log(url: str, *, create: bool = False, exclusive: bool = True) -> EventLog:
    """Open the log at `sqlite:///PATH`, `sqlite:///:memory:` or `postgresql://…` (any URL of libpq).

    `create` makes the tables where they are missing and leaves a log as it is; without it a database
    that holds none raises `LogIsMissing`. `exclusive` matters on SQLite: the log that is opened so is
    the one writer (`AlreadyServed` for the next), the others read beside it. A log in memory is new
    each time and shared by the threads that hold it.

    Of a primary and its standbys all hosts are named, and the URL says that the one which takes writes is meant
    (`target_session_attrs=read-write`).

    Raises `DatabaseUnreachable`, `SchemaIsUnknown` and `AddressIsUnknown`, too.
    """
    if engine_of(url) == "sqlite":
        from ledger.store.sqlite.log import SQLiteLog

        return SQLiteLog.open(url, create=create, exclusive=exclusive)
    from ledger.store.postgres.log import PostgresLog

    return PostgresLog.open(url, create=create)
