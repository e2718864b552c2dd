"""The laws of DOMAIN §6.7 on a whole record: each person at each knowledge that matters, each place, each invoice.

`judge` looks at the people of a record, `check_laws` puts together what several processes found so. The laws of alarms
and of erasure need what the ledger does not have yet, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from operator import itemgetter
from typing import Final

import msgspec

from domain.events.facility import FacilityRegistered
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.beliefs import beliefs_stand, reads_as_right
from ledger.audit.laws.billed_days import billed_days_are_held
from ledger.audit.laws.custody import custody_moves_by_acceptance, one_is_responsible
from ledger.audit.laws.lives import Life, lives
from ledger.audit.laws.places import Rosters, dates_between, one_person_counts_once
from ledger.audit.laws.timelines import files_end, nobody_is_lost, sums_agree
from ledger.audit.record import Record
from ledger.audit.views import Asked

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
    for event in life.events if life.reading.is_corrected else ():
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


class Judged(msgspec.Struct, kw_only=True):
    """What the laws found on one share of the people; it may come from another process.

    `found` and `answered` name whom a finding is about, for the order in which they are told; `looked_at` counts by
    law. `rolls` are those placed in each facility at the instant at which the views are asked. `days` are the first and
    the last date counted of each facility, and its zone; `on_days` is what broke law L5 on one of them.
    """

    looked_at: dict[str, int] = msgspec.field(default_factory=dict)
    found: list[tuple[str, Finding]] = msgspec.field(default_factory=list)
    answered: list[tuple[str, Finding]] = msgspec.field(default_factory=list)
    rolls: dict[str, list[str]] = msgspec.field(default_factory=dict)
    days: dict[str, tuple[date, date, str]] = msgspec.field(default_factory=dict)
    on_days: list[Finding] = msgspec.field(default_factory=list)

    def look(self, law: str, person: str, findings: Iterator[Finding]) -> None:
        """Count one more thing looked at, and keep what was found about the person."""
        self.looked_at[law] = self.looked_at.get(law, 0) + 1
        for one in findings:
            self.found.append((person, one))


def judge(record: Record, asked: Asked | None = None, progress: Progress = quiet) -> Judged:
    """Every law on the people of a record, and with `asked` what the views answer about them."""
    judged = Judged()
    if asked is not None:
        judged.rolls.update((place, []) for place in _registered(record, asked.position))
    rosters = Rosters(record.register)
    laws, looked_at = tuple(OF_A_LIFE.values()), 0
    for done, (person, events) in enumerate(sorted(record.people.items()), start=1):
        knows = asked is not None and events[-1].position <= asked.position
        present: Life | None = None
        for present in lives(person, events, record.register):
            looked_at += 1
            for holds in laws:
                for one in holds(present):
                    judged.found.append((person, one))
            if asked is not None and knows:
                judged.answered.extend((person, one) for one in asked.life(present))
        if present is not None:
            judged.look("L9", person, beliefs_stand(present, record.register.person(person)))
            rosters.take(present)
        if asked is not None:
            known = events if knows else [event for event in events if event.position <= asked.position]
            for present in () if knows or not known else lives(person, known, record.register):
                judged.answered.extend((person, one) for one in asked.life(present))
            if present is not None and known:
                _place(judged.rolls, present, asked)
        if done % STEP == 0 or done == len(record.people):
            progress("laws", done, len(record.people))
    judged.looked_at.update(dict.fromkeys(OF_A_LIFE, looked_at))
    for place in rosters.facilities():
        judged.days[place] = (*rosters.dates(place), record.register.zone_of(place) or "UTC")
        judged.on_days += [one for _, findings in rosters.days(place) for one in findings]
    for person in sorted(record.billed):
        judged.look("L10", person, billed_days_are_held(record, person))
    return judged


def _registered(record: Record, position: int) -> Iterator[str]:
    """The places registered up to a position."""
    for event in record.registry.values():
        if event.position <= position and isinstance(event.body, FacilityRegistered):
            yield event.body.facility


def _place(rolls: dict[str, list[str]], life: Life, asked: Asked) -> None:
    state = life.at(asked.now)
    if state is not None and state.placement is not None:
        rolls.setdefault(state.placement.value, []).append(life.person)


def check_laws(judged: Sequence[Judged]) -> list[Check]:
    """The shares put together: every law, in the order of DOMAIN.

    `looked_at` counts persons and their earlier beliefs, days, claims. A day is counted once, whatever number of shares
    there are; what was found on days is told only of people who were judged together.
    """
    checks = {law: Check(code=law, title=title, kept=law not in NOT_KEPT) for law, title in TITLES.items()}
    for law, check in checks.items():
        check.looked_at = sum(one.looked_at.get(law, 0) for one in judged)
    for _, finding in sorted((found for one in judged for found in one.found), key=itemgetter(0)):
        checks[finding.law].findings.append(finding)
    days: dict[str, tuple[date, date, str]] = {}
    for place, (first, last, zone) in (item for one in judged for item in one.days.items()):
        known = days.get(place, (first, last, zone))
        days[place] = min(known[0], first), max(known[1], last), zone
    checks["L5"].looked_at += sum(dates_between(*span) for span in days.values())
    checks["L5"].findings += [finding for one in judged for finding in one.on_days]
    return list(checks.values())
