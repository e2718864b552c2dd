"""New Zealand's moves between prisons: a row each, naming nobody and no time of day.

Each row is a person of its own: one atomic batch of a registration, an opening at the origin (reported, inferred) and
a claimed move to the destination, all dated by the day. Equal instants stand in recorded order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ledger.importers.intake import Ask, Intake, Row, opening, registering, registration

STATE: Final = "NZ"
ZONE: Final = "Pacific/Auckland"
ROWS_PER_BATCH: Final = 500
REASONS: Final = {
    "Population Management": "population",
    "Judicial": "court-appearance",
    "Accepted for Programme": "programme",
    "Placement Review": "placement",
    "Placement Management": "placement",
    "Release": "release",
    "In Transit/Multi-Site Move": "transit",
    "Personal Request": "request",
    "Medical": "medical",
}
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class NzTransfers:
    """The CSV file as published: one blank line, the header, then a move a line, in date order."""

    format = "nz-transfers"

    def rows(self, intake: Intake) -> Iterator[Sequence[Row]]:
        """Batches of moves, after the places they name."""
        lines = _read(intake.path)
        places = sorted({place_id(name) for _, fields in lines for name in (fields["From"], fields["To"])})
        yield registration(intake, state=STATE, zone=ZONE, places=places)
        remaining = iter(lines)
        while batch := list(islice(remaining, ROWS_PER_BATCH)):
            people = intake.pseudonyms(f"{intake.digest} {number}" for number, _ in batch)
            yield [_move(intake, people[f"{intake.digest} {number}"], number, fields) for number, fields in batch]

    def batches(self, path: Path) -> int:
        """The registry's, and one for every `ROWS_PER_BATCH` moves begun."""
        return 1 + -(-len(_read(path)) // ROWS_PER_BATCH)


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and fields of each move."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header: list[str] = []
        rows = []
        for fields in reader:
            if not header:
                header = [field.strip() for field in fields]
            elif fields:
                rows.append((reader.line_num, dict(zip(header, (field.strip() for field in fields), strict=False))))
    return rows


def _move(intake: Intake, person: str, number: int, fields: dict[str, str]) -> Row:
    name = f"line {number}"
    try:
        day, month, year = fields["Transfer Date"].split("-")
        date = datetime(2000 + int(year), MONTHS.index(month) + 1, int(day), tzinfo=ZoneInfo(ZONE))
        reason = REASONS[fields["Reason"]]
    except (KeyError, ValueError):
        return Row(name, name, (), problem="row-is-malformed")
    when = {"occurred_at": date.isoformat(), "precision": "day"}
    origin, destination = place_id(fields["From"]), place_id(fields["To"])
    move = Ask(
        intake.acting,
        "record-move-within",
        {
            "person": person,
            "mode": "claim",
            "from_facility": origin,
            "to_facility": destination,
            "reason": reason,
            **when,
        },
        "move",
    )
    asks = (
        registering(intake, person, "unresolved", **when),
        opening(intake, person, origin, date.isoformat(), True, **when),
        move,
    )
    return Row(name, name, asks, atomic=True)


def place_id(name: str) -> str:
    """The id of a place: the source's name in lower case with hyphens."""
    return "-".join(name.lower().split())
