"""The laws of DOMAIN §6.7 on a whole record: each person at each knowledge that matters, each place, each invoice.

`check_laws` is the one entry. The laws of alarms and of erasure need what the ledger does not have yet, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.beliefs import beliefs_stand, reads_as_right
from ledger.audit.laws.billed_days import billed_days_are_held
from ledger.audit.laws.custody import custody_moves_by_acceptance, one_is_responsible
from ledger.audit.laws.lives import Life, lives
from ledger.audit.laws.places import Rosters, one_person_counts_once
from ledger.audit.laws.timelines import files_end, nobody_is_lost, sums_agree
from ledger.audit.record import Record

TITLES: Final = {
    "L1": "nobody is lost: each file's spells tile time, one status at each instant",
    "L2": "one authority is responsible while a file is open, none while it is closed",
    "L3": "custody moves only by an acceptance of the other side, or by an opening that may take it",
    "L4": "no custody without a basis",
    "L5": "roster identity: start + in − out = end, name by name",
    "L6": "sum rule: midnights of a stay = placements + gaps",
    "L7": "files end: each closed file ends in a verified release",
    "L8": "correction law: a corrected record reads as if it had been right at first",
    "L9": "belief law: what was known at a position never changes afterwards",
    "L10": "billed days are custody days, each billed once",
    "L11": "no event has two counting corrections",
    "L12": "each alarm once",
    "L13": "erasure counts nothing",
}
NOT_KEPT: Final = ("L4", "L12", "L13")


def corrected_once(life: Life) -> Iterator[Finding]:
    """L11: no event with two counting corrections; by then the two would have to act as one."""
    for event in life.events:
        corrections = life.reading.corrections_of(event)
        if len(corrections) > 1:
            at = [correction.position for correction in corrections]
            yield life.wrong("L11", f"one counting correction of position {event.position}", len(at), at=at)


OF_A_LIFE: Final[dict[str, Callable[[Life], Iterator[Finding]]]] = {
    "L1": nobody_is_lost,
    "L2": one_is_responsible,
    "L3": custody_moves_by_acceptance,
    "L5": one_person_counts_once,
    "L6": sums_agree,
    "L7": files_end,
    "L8": reads_as_right,
    "L11": corrected_once,
}
"""The laws that are asked of one person at one knowledge."""

STEP: Final = 500
"""After how many persons progress is told."""


def check_laws(record: Record, progress: Progress = quiet) -> list[Check]:
    """Every law, in the order of DOMAIN; `looked_at` counts persons and their earlier beliefs, days, claims."""
    checks = {law: Check(code=law, title=title, kept=law not in NOT_KEPT) for law, title in TITLES.items()}
    rosters = Rosters(record.register)
    for done, (person, events) in enumerate(sorted(record.people.items()), start=1):
        present: Life | None = None
        for present in lives(person, events, record.register):
            for law, holds in OF_A_LIFE.items():
                checks[law].look(holds(present))
        if present is not None:
            checks["L9"].look(beliefs_stand(present, record.register.person(person)))
            rosters.take(present)
        if done % STEP == 0 or done == len(record.people):
            progress("laws", done, len(record.people))
    for place in rosters.facilities():
        for _, findings in rosters.days(place):
            checks["L5"].look(findings)
    for person in sorted(record.billed):
        checks["L10"].look(billed_days_are_held(record, person))
    return list(checks.values())
