"""New York City's daily roster: who is listed each morning, without a word on how or why they left.

The instant of a roster is 10:45 local. The first day of a run of listed days opens custody, the first day not listed
ends it; both are reports, and the end is inferred. A later run under the same admission is opened again, inferred:
the gap between stays visible and is the source's, a finding about nobody.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, TextIO
from zoneinfo import ZoneInfo

from ledger.importers.intake import Ask, Intake, Row, opening, registering, registration

STATE: Final = "US-NY"
ZONE: Final = "America/New_York"
ROSTER_TIME: Final = time(10, 45)
COLUMNS: Final = ("roster_date", "inmateid", "admitted_dt")
NOTHING_CHECKED: Final = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), False)

Stay = tuple[str, str]
"""The publisher's id of a person and the local time of admission."""


class NycRoster:
    """The gzipped or plain CSV file of rosters, sorted by date."""

    format = "nyc-roster"

    def rows(self, intake: Intake) -> Iterator[Sequence[Row]]:
        """One batch a roster date: those no longer listed first, then those newly listed."""
        place = f"{intake.acting.authority}-custody"
        yield registration(intake, state=STATE, zone=ZONE, places=[place])
        known: set[str] = set()
        runs: dict[Stay, int] = {}
        listed: set[Stay] = set()
        with _open(intake.path) as file:
            for day, lines in groupby(_lines(file), itemgetter(0)):
                today = {(person, admitted) for _, person, admitted in lines}
                people = intake.pseudonyms(sorted({stay[0] for stay in listed ^ today}))
                when = _local(datetime.combine(datetime.fromisoformat(day), ROSTER_TIME))
                ended = [
                    _row(stay, runs[stay], day, (_ending(intake, people[stay[0]], place, when),))
                    for stay in sorted(listed - today)
                ]
                begun = []
                for stay in sorted(today - listed):
                    runs[stay] = runs.get(stay, 0) + 1
                    person = people[stay[0]]
                    asks = () if person in known else (registering(intake, person, "claimed", occurred_at=when),)
                    known.add(person)
                    deprived_at = _local(datetime.fromisoformat(stay[1]))
                    start = opening(intake, person, place, deprived_at, runs[stay] > 1, occurred_at=when)
                    begun.append(_row(stay, runs[stay], day, (*asks, start)))
                listed = today
                yield [*ended, *begun]

    def batches(self, path: Path) -> int:
        """The registry's, and one a roster date."""
        with _open(path) as file:
            return 1 + sum(1 for _ in groupby(_lines(file), itemgetter(0)))


def _row(stay: Stay, run: int, day: str, asks: tuple[Ask, ...]) -> Row:
    return Row(f"{stay[0]} {stay[1]} run {run}", f"roster of {day}, person {asks[0].data['person']}", asks)


def _ending(intake: Intake, person: str, place: str, when: str) -> Ask:
    return Ask(
        intake.acting,
        "record-release",
        {
            "person": person,
            "mode": "report",
            "inferred": True,
            "facility": place,
            "kind": "not-stated",
            "checks": NOTHING_CHECKED,
            "occurred_at": when,
        },
        "release",
    )


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _lines(file: TextIO) -> Iterator[tuple[str, str, str]]:
    reader = csv.reader(file)
    header = next(reader, [])
    day, person, admitted = (header.index(column) for column in COLUMNS)
    for fields in reader:
        yield fields[day], fields[person], fields[admitted]


def _local(naive: datetime) -> str:
    """A local time of New York with its offset; of an hour that happens twice the first."""
    return naive.replace(tzinfo=ZoneInfo(ZONE)).isoformat()
