"""Taking in a source: commands under keys made from the source's rows, so that a second reading adds nothing.

A source yields batches of commands in the order in which they happened. Each is submitted like anybody's; a refusal
drops the row it came from, by name, and the rest goes on. Stopping at any point and starting again ends equal.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.refusals import Refusal
from domain.rules.table import RULES
from ledger.importers.book import ImportBook
from ledger.writer.submission import Answer, Group, Refused, Submission, submission
from ledger.writer.writer import Writer

GROUPS_PER_COMMIT: Final = 500
REFUSALS_KEPT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Ask:
    """One command of a source: who asks, its name and fields, and what its key is made of."""

    by: Actor
    name: str
    data: dict[str, object]
    act: str


@dataclass(frozen=True, slots=True)
class Row:
    """What one row (or one run of rows) of a source asks for; `atomic` commands are taken all or none.

    `name` identifies the row within the file and goes into its keys; it may hold the publisher's identifiers and is
    never shown. `shown` is what a report calls it. A row that can't be read says so in `problem` and asks nothing.
    """

    name: str
    shown: str
    asks: tuple[Ask, ...]
    atomic: bool = False
    problem: str | None = None


@dataclass(slots=True)
class Report:
    """What became of a source."""

    rows: int = 0
    recorded: Counter[str] = field(default_factory=Counter)
    already_there: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    not_taken: int = 0
    last_position: int = 0

    def refuse(self, where: str, code: str) -> None:
        """Note a row that was not taken and why."""
        self.not_taken += 1
        if len(self.refused) < REFUSALS_KEPT_MAX:
            self.refused.append((where, code))

    def document(self) -> dict[str, object]:
        """The report as JSON shows it."""
        return {
            "rows": self.rows,
            "recorded": dict(sorted(self.recorded.items())),
            "already_there": self.already_there,
            "not_taken": self.not_taken,
            "refused": [{"where": where, "code": code} for where, code in self.refused],
            "position": self.last_position,
        }


class Source(Protocol):
    """One file of a known format."""

    format: str

    def rows(self, intake: Intake) -> Iterator[Sequence[Row]]:
        """The rows in batches; everything in one batch may be judged together, in order."""

    def batches(self, path: Path) -> int:
        """How many batches `rows` will have, found by looking through the file once."""


@dataclass(slots=True, kw_only=True)
class Intake:
    """The circumstances of one import: as whom, from which file, into which ledger."""

    format: str
    path: Path
    registrar: Actor
    acting: Actor
    writer: Writer
    book: ImportBook
    digest: str = ""

    def key(self, row_name: str, act: str) -> str:
        """The idempotency key of one act of one row (DESIGN §4): nothing of the source can be guessed back from it."""
        text = f"{self.format}\x1f{self.digest}\x1f{row_name}\x1f{act}"
        return hmac.new(self.book.secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    def pseudonyms(self, source_ids: Iterable[str]) -> dict[str, str]:
        """A person's id for each id of the source, on disk before it is used."""
        return self.book.persons(self.format, source_ids)


def actor(text: str, format_: str) -> Actor:
    """The actor `AUTHORITY/OFFICER` of an import; raises `ValueError` where it is not of that form."""
    authority, slash, officer = text.partition("/")
    if not (authority and slash and officer) or "/" in officer:
        raise ValueError("an actor is written AUTHORITY/OFFICER")
    return Actor(authority=AuthorityId(authority), officer=OfficerId(officer), credential=f"import:{format_}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file as it lies there."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take_in(source: Source, intake: Intake, progress: Callable[[int], None] = lambda _rows: None) -> Report:
    """Read a whole source into the ledger; `progress` hears how many rows are done."""
    intake.digest = file_digest(intake.path)
    report = Report()
    for rows in source.rows(intake):
        for start in range(0, len(rows), GROUPS_PER_COMMIT):
            _commit(rows[start : start + GROUPS_PER_COMMIT], intake, report)
        report.rows += len(rows)
        progress(report.rows)
    return report


def _commit(rows: Sequence[Row], intake: Intake, report: Report) -> None:
    readable: list[Row] = []
    groups: list[Group] = []
    for row in rows:
        if row.problem is not None:
            report.refuse(row.shown, row.problem)
        if not row.asks:
            continue
        try:
            group = Group(submissions=tuple(_submission(row, ask, intake) for ask in row.asks), atomic=row.atomic)
        except Refusal as refusal:
            # A value that no command may hold, such as a place whose name makes no id.
            report.refuse(row.shown, refusal.code)
            continue
        readable.append(row)
        groups.append(group)
    for row, outcomes in zip(readable, intake.writer.commit(groups), strict=True):
        for outcome in outcomes:
            if isinstance(outcome, Answer):
                report.last_position = max(report.last_position, outcome.position)
                if outcome.replayed:
                    report.already_there += 1
                else:
                    report.recorded.update(event.wire for event in outcome.events)
            elif isinstance(outcome, Refused):
                report.refuse(row.shown, outcome.refusal.code)


def _submission(row: Row, ask: Ask, intake: Intake) -> Submission:
    rule = RULES[ask.name]
    return submission(rule, parse(rule.command, ask.data), by=ask.by, key=intake.key(row.name, ask.act))


NO_PARTICULARS: Final = dict.fromkeys(
    ("reasons", "injuries", "complaints", "property", "family", "emergency_contact"), "none"
)


def registration(intake: Intake, *, state: str, zone: str, places: Iterable[str]) -> list[Row]:
    """What is missing of the acting authority and its role, and then of its places, asked for by the registrar."""
    register, authority = intake.writer.register, intake.acting.authority
    registers = Ask(
        intake.registrar,
        "register-authority",
        {"authority": authority, "state": state, "legal_name": authority, "outside_register": False},
        "authority",
    )
    roles = Ask(
        intake.registrar,
        "set-authority-roles",
        {"authority": authority, "roles": [{"role": "sending", "from": "1970-01-01"}]},
        "roles",
    )
    is_known = register.authority(authority) is not None
    missing = [] if is_known else [Row("registry", "the authority and its role", (registers, roles), atomic=True)]
    missing += [
        Row(f"place {place}", f"the place {place}", (_place(intake, place, state, zone),))
        for place in places
        if register.facility(place) is None
    ]
    return missing


def _place(intake: Intake, place: str, state: str, zone: str) -> Ask:
    return Ask(
        intake.registrar,
        "register-facility",
        {
            "facility": place,
            "authority": intake.acting.authority,
            "state": state,
            "kind": "prison",
            "zone": zone,
            "recognised_by": intake.digest,
            "supervising_authority": intake.acting.authority,
        },
        "place",
    )


def registering(intake: Intake, person: str, identity_status: str, **when: object) -> Ask:
    """The registration of a person of whom the source says nothing but that there is one."""
    return Ask(
        intake.acting,
        "register-person",
        {"person": person, "identity_status": identity_status, "attributes": {}, **when},
        "register",
    )


def opening(intake: Intake, person: str, place: str, deprived_at: str, inferred: bool, **when: object) -> Ask:
    """The report that a person was listed at a place."""
    authority = intake.acting.authority
    return Ask(
        intake.acting,
        "open-custody",
        {
            "person": person,
            "mode": "report",
            **({"inferred": True} if inferred else {}),
            "facility": place,
            "authority": authority,
            "entry": "import",
            "deprived_at": deprived_at,
            "deprived_by": authority,
            "supervising_authority": authority,
            "particulars": NO_PARTICULARS,
            **when,
        },
        "open",
    )
