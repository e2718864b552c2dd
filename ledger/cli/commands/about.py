"""Which program this is."""

from __future__ import annotations

from ledger.cli.options import AsJson
from ledger.cli.terminal import show_document, show_fields


def version(as_json: AsJson = False) -> None:
    """Which version this is, and of what it stands on."""
    import platform
    import sqlite3
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        own = version_of("custody-ledger")
    except PackageNotFoundError:
        own = "not installed"
    document = {
        "custody": own,
        "eventsourcing": version_of("eventsourcing"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    if as_json:
        show_document(document)
    else:
        show_fields(document)
