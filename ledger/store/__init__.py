"""The store: the event log on the library, for SQLite and PostgreSQL, opened by its URL."""

from ledger.store.log import (
    AlreadyServed,
    DatabaseUnreachable,
    Engine,
    EventLog,
    LogCheck,
    LogIsMissing,
    LogIsReadOnly,
    PositionMissing,
    PositionTaken,
    Remembered,
    Row,
    SchemaIsUnknown,
)
from ledger.store.opening import AddressIsUnknown, engine_of, open_log

__all__ = [
    "AddressIsUnknown",
    "AlreadyServed",
    "DatabaseUnreachable",
    "Engine",
    "EventLog",
    "LogCheck",
    "LogIsMissing",
    "LogIsReadOnly",
    "PositionMissing",
    "PositionTaken",
    "Remembered",
    "Row",
    "SchemaIsUnknown",
    "engine_of",
    "open_log",
]
