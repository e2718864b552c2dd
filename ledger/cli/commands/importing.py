"""Importing a register of others: as whom, how far it has come, and what of it could not be taken and why.

Stopping at any point loses nothing that was recorded, and starting again goes on: what is there is not recorded twice.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.options import AsJson, Auth, DatabaseUrl, Environment, settings_of
from ledger.cli.stopping import told_to_stop
from ledger.cli.terminal import Bar, progress, say, show_document, show_fields, show_lines
from ledger.cli.values import ID_RULE, is_id

if TYPE_CHECKING:
    from domain.events.event import Actor
    from domain.register import Register
    from ledger.importers.intake import Intake, Report, Row, Source
    from ledger.settings import Settings

REFUSED_SHOWN_MAX: Final = 20
UNREADABLE: Final = (ValueError, LookupError, EOFError, OSError, csv.Error, zlib.error)
"""What reading a file raises that is cut off, or of another format."""


class Format(StrEnum):
    """The sources that can be read."""

    NYC_ROSTER = "nyc-roster"
    NZ_TRANSFERS = "nz-transfers"


def import_(
    format_: Annotated[Format, typer.Argument(metavar="FORMAT", help="nyc-roster or nz-transfers.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file as published.", exists=True, dir_okay=False, readable=True)
    ],
    registrar: Annotated[
        str, typer.Option("--registrar", metavar="A/O", help="Who registers what is missing: AUTHORITY/OFFICER.")
    ],
    as_: Annotated[str, typer.Option("--as", metavar="A/O", help="Whose register it is: AUTHORITY/OFFICER.")],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
    environment: Environment = None,
    auth: Auth = None,
) -> None:
    """Read a public register into the ledger, through the same rules as everybody.

    A row that is refused is named with its reason, and the rest goes on. A second time adds nothing.
    """
    settings = settings_of(database_url=database_url, environment=environment, auth=auth)
    actors = _actor("--registrar", registrar, format_), _actor("--as", as_, format_)
    report = _taken_in(format_.value, file, *actors, settings)
    if as_json:
        show_document(report.document())
        return
    show_fields({**dict(sorted(report.recorded.items())), "already there": report.already_there, "rows": report.rows})
    if report.not_taken:
        show_lines([f"not taken: {where}: {code}" for where, code in report.refused[:REFUSED_SHOWN_MAX]])
    if report.not_taken > REFUSED_SHOWN_MAX:
        say(f"… and {report.not_taken - REFUSED_SHOWN_MAX} more that were not taken; --json has the first 1,000")
    total = sum(report.recorded.values())
    say(
        f"{total:,} events recorded, {report.not_taken} rows not taken; the last is at position {report.last_position}."
    )


def _actor(flag: str, text: str, format_: Format) -> Actor:
    from ledger.importers.intake import actor

    try:
        read = actor(text, format_.value)
    except ValueError as error:
        raise usage(f"{flag} is no actor", why=str(error), next_=f"write it like {flag} keeper/k-1") from None
    if not (is_id(read.authority) and is_id(read.officer)):
        raise usage(f"{flag} is no actor", why=ID_RULE, next_=f"write it like {flag} keeper/k-1")
    return read


def _taken_in(format_: str, file: Path, registrar: Actor, acting: Actor, settings: Settings) -> Report:
    from ledger.importers.book import ImportBook
    from ledger.importers.intake import Intake, take_in
    from ledger.service import LedgerIsEmpty, LogEvents
    from ledger.settings import check_start
    from ledger.store import open_log
    from ledger.writer.writer import Writer
    from projections import open_views

    check_start(settings)
    url = settings.database_url.get_secret_value()
    with closing(open_log(url)) as log:
        if not log.head():
            raise LedgerIsEmpty
        # The writer's own thread is not started: an import hands in its batches itself.
        writer = Writer(log)
        _require_registrar(writer.register, registrar)
        with closing(ImportBook.open(url)) as book, _between_batches() as look_up, progress("Importing") as bar:
            intake = Intake(format=format_, path=file, registrar=registrar, acting=acting, writer=writer, book=book)
            report = take_in(_Watched(format_, _source(format_), look_up, bar), intake)
        say("Bringing the views up with the log …")
        with closing(open_views(url, LogEvents(log))) as views:
            views.catch_up()
    return report


def _source(format_: str) -> Source:
    from ledger.importers.nyc_roster import NycRoster
    from ledger.importers.nz_transfers import NzTransfers

    return {source.format: source for source in (NycRoster(), NzTransfers())}[format_]


def _require_registrar(register: Register, registrar: Actor) -> None:
    if register.authority(registrar.authority) is None:
        raise CommandFailed(
            ExitCode.REFUSED,
            f"{registrar.authority} is not registered, so it can register nobody",
            next_="give the --registrar that the ledger was opened with; custody audit show 2 names it",
        )


@contextmanager
def _between_batches() -> Iterator[Callable[[], None]]:
    """A function to call between batches: after SIGTERM or Ctrl-C it stops there. A second one stops at once."""
    with told_to_stop() as told:

        def look_up() -> None:
            if told.is_set():
                raise KeyboardInterrupt

        try:
            yield look_up
        except KeyboardInterrupt:
            raise CommandFailed(
                ExitCode.INTERRUPTED,
                "the import was stopped; what it had recorded stays",
                next_="the same command: it goes on, and records nothing twice",
            ) from None


@dataclass(slots=True)
class _Watched:
    """A source whose batches are counted on the way, and whose file is found out if it is of another format."""

    format: str
    source: Source
    look_up: Callable[[], None]
    bar: Bar

    def rows(self, intake: Intake) -> Iterator[Sequence[Row]]:
        """The source's own batches, once the file has been looked through: a wrong one leaves nothing behind."""
        total = self.batches(intake.path)
        for done, batch in enumerate(self._read(intake), start=1):
            self.look_up()
            yield batch
            self.bar(done, total)

    def batches(self, path: Path) -> int:
        """How many there will be."""
        with self._of_its_format(path):
            return self.source.batches(path)

    def _read(self, intake: Intake) -> Iterator[Sequence[Row]]:
        rows = self.source.rows(intake)
        while True:
            with self._of_its_format(intake.path):
                batch = next(rows, None)
            if batch is None:
                return
            yield batch

    @contextmanager
    def _of_its_format(self, path: Path) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            # What stands in the file may name somebody, so it is not repeated.
            raise CommandFailed(
                ExitCode.UNREACHABLE,
                f"{path} can't be read as {self.format}",
                why=f"{type(error).__name__} while reading it; nothing of what could not be read is recorded",
                next_="see that the file is whole, as published, and of that format",
            ) from error
