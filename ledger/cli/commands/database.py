"""The database on the command line: a ledger is opened once, and may be inspected at any time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.options import AsJson, DatabaseUrl, settings_of
from ledger.cli.terminal import say, show_document, show_fields, show_lines, warn
from ledger.cli.values import ID_RULE, is_id

if TYPE_CHECKING:
    from domain.events.event import Event

db = typer.Typer(no_args_is_help=True, help="The database: opened once, checked, described, copied and restored.")

_ORIGIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/custody/[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


@db.command("init")
def init(
    origin: Annotated[str, typer.Option(metavar="HOST/custody/EPOCH", help="The ledger's name, for ever.")],
    registrar: Annotated[str, typer.Option(metavar="ID", help="The authority that keeps the registry.")],
    state: Annotated[str, typer.Option(metavar="CODE", help="Its State: ISO 3166-1, or 3166-2 as in US-NY.")],
    officer: Annotated[str, typer.Option(metavar="ID", help="The officer who does this.")],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Open a ledger: make the tables and record its epoch, its registrar and the registrar's role."""
    from domain.iso3166 import is_recognised
    from ledger.genesis import open_epoch
    from ledger.store import open_log

    if _ORIGIN.fullmatch(origin) is None:
        raise usage("--origin is no origin", next_="write it like ledger.example.org/custody/2025")
    for flag, value in (("--registrar", registrar), ("--officer", officer)):
        if not is_id(value):
            raise usage(f"{flag} is no id", why=ID_RULE)
    if not is_recognised(state):
        raise usage("--state is no State's code", next_="write it like NO, or US-NY for a State of a federation")
    log = open_log(settings_of(database_url=database_url).database_url.get_secret_value(), create=True)
    try:
        open_epoch(log, origin=origin, registrar=registrar, state=state, officer=officer)
        head = log.head()
    finally:
        log.close()
    done = {"origin": origin, "registrar": registrar, "position": head}
    if as_json:
        show_document(done)
    else:
        show_lines([f"The ledger {origin} is open; {registrar} keeps its registry."])
        say("next: custody serve")


@db.command("check")
def check(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Inspect tables, fences, counts and the server's settings. Ends with 3 if something is wrong."""
    from ledger.store import open_log

    log = open_log(settings_of(database_url=database_url).database_url.get_secret_value(), exclusive=False)
    try:
        found = log.check()
    finally:
        log.close()
    document = {
        "engine": found.engine,
        "schema_version": found.schema_version,
        "head": found.head,
        "events": found.events,
        "leaves": found.leaves,
        "remembered": found.remembered,
        "bytes_on_disk": found.bytes_on_disk,
        "problems": list(found.problems),
        "warnings": list(found.warnings),
        "sound": found.is_sound,
    }
    if as_json:
        show_document(document)
    else:
        show_fields(document)
    for text in found.warnings:
        warn(text)
    if not found.is_sound:
        raise CommandFailed(
            ExitCode.NOT_VERIFIED,
            f"the database is not sound: {'; '.join(found.problems)}",
            next_="custody audit verify, which names the events; keep a copy of the database first",
        )


@db.command("info")
def info(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Which ledger this is, where it lies, how long it is."""
    from domain.events.epoch import EpochOpened
    from ledger.store import engine_of, open_log
    from ledger.store.leaf import read_event

    url = settings_of(database_url=database_url).database_url.get_secret_value()
    log = open_log(url, exclusive=False)
    try:
        head = log.head()
        ends = [read_event(row) for position in (1, head) if head for row in log.read(position - 1, 1)]
    finally:
        log.close()
    epoch = ends[0].body if ends else None
    document: dict[str, object] = {
        "database": shown_url(url),
        "engine": engine_of(url),
        "origin": epoch.origin if isinstance(epoch, EpochOpened) else None,
        "opened_at": _shown(ends[0]) if ends else None,
        "head": head,
        "last_recorded_at": _shown(ends[-1]) if ends else None,
    }
    if as_json:
        show_document(document)
    else:
        show_fields(document)


def _shown(event: Event) -> str:
    from projections.engine.instants import kept, shown

    return shown(kept(event.recorded_at))


def shown_url(url: str) -> str:
    """A database URL without what may be secret: its password, and its parameters."""
    if url.startswith("sqlite:"):
        return url
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    # Of several hosts each has its port, which is no port of a URL.
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"
