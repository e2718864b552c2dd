"""A ledger with something in it: two States, four places, an agreement with its fees, and three months of custody.

Everything goes through the writer like anybody's command, under a clock that follows the story, so nothing in it is
late. All persons and bodies are invented.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import ParamSpec
from zoneinfo import ZoneInfo

from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.rules.table import RULES
from ledger.demo import cast
from ledger.demo.cast import (
    AGREEMENT,
    AUDITOR,
    COURT,
    E1,
    E2,
    EAST,
    KEEPER,
    MONITOR,
    N1,
    N2,
    NORTH,
    PLACES,
    ROLES,
    SCHEDULE,
    STATES,
    ZONES,
    document,
)
from ledger.genesis import open_epoch
from ledger.sources import Sources
from ledger.store import EventLog
from ledger.writer.submission import Answer, Group, Refused, submission
from ledger.writer.writer import Writer

P = ParamSpec("P")


@dataclass(slots=True, kw_only=True)
class Story:
    """Acts by the time at which they happen; each is recorded two minutes later."""

    people: int
    now: datetime
    _clock: datetime = field(init=False)
    _acts: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _writer: Writer | None = None

    @property
    def first_day(self) -> date:
        """The first day of the third month before this one."""
        month = self.now.date().replace(day=1)
        for _ in range(3):
            month = (month - timedelta(days=1)).replace(day=1)
        return month

    def tell(self, log: EventLog, progress: Callable[[int, int], None]) -> None:
        """Record the registry, then every act up to now in the order of its time."""
        sources = Sources(now=lambda: self._clock)
        self._clock = self._at(self.first_day - timedelta(days=2), 9)
        open_epoch(
            log,
            origin=f"demo.example/custody/{self._clock.year}",
            registrar=KEEPER,
            state="NO",
            officer="demo-keeper-1",
            sources=sources,
        )
        self._writer = Writer(log, sources)
        self._registry()
        self._agreement()
        for number in range(1, self.people + 1):
            self._person(number)
        self._invoices()
        acts = sorted(self._acts, key=lambda item: item[:2])
        for done, (when, _, act) in enumerate(acts):
            progress(done, len(acts))
            if when < self.now - timedelta(hours=1):
                self._clock = when + timedelta(minutes=2)
                act()

    def _at(self, day: date, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute), ZoneInfo("Europe/Oslo")).astimezone(UTC)

    def _do(self, by: str, name: str, /, **data: object) -> Answer:
        """Ask one command of an authority's first officer, or of `AUTHORITY/OFFICER`, and have it granted."""
        assert self._writer is not None
        by, _, officer = by.partition("/")
        officer = officer or f"{by}-1"
        rule = RULES[name]
        who = Actor(
            authority=AuthorityId(by),
            officer=OfficerId(officer),
            credential=f"none:{by}/{officer}",
        )
        ask = parse(rule.command, {field_.rstrip("_"): value for field_, value in data.items()})
        item = submission(rule, ask, by=who, key=f"demo-{next(self._numbers)}")
        ((outcome,),) = self._writer.commit([Group(submissions=(item,))])
        if isinstance(outcome, Refused):
            raise outcome.refusal
        assert isinstance(outcome, Answer)
        return outcome

    def _plan(self, when: datetime, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        self._acts.append((when, len(self._acts), functools.partial(act, *args, **kwargs)))

    def _registry(self) -> None:
        since = (self.first_day - timedelta(days=365)).isoformat()
        for authority, roles in ROLES.items():
            self._do(
                KEEPER,
                "register-authority",
                authority=authority,
                state=STATES[authority],
                legal_name=authority,
                outside_register=False,
            )
            held = [{"role": role, "from": since} for role in roles]
            self._do(KEEPER, "set-authority-roles", authority=authority, roles=held)
        for place, authority in PLACES.items():
            self._do(
                KEEPER,
                "register-facility",
                facility=place,
                authority=authority,
                state=STATES[authority],
                kind="prison",
                zone=ZONES[authority],
                recognised_by=document(place),
                supervising_authority=MONITOR,
            )
            self._do(
                authority,
                "certify-capacity",
                facility=place,
                operational_capacity=cast.CAPACITY,
                from_=since,
                certificate=document(f"capacity of {place}"),
                approved_by=[f"{authority}-1", f"{authority}-2"],
            )

    def _agreement(self) -> None:
        first = self.first_day
        drafted = self._do(
            NORTH,
            "draft-agreement",
            agreement=AGREEMENT,
            revision=1,
            parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
            legal_bases=["custody-contract"],
            terms=cast.terms(),
            from_=first.isoformat(),
            to=first.replace(year=first.year + 3).isoformat(),
        )
        for party in (NORTH, EAST):
            self._do(
                party, "sign-agreement", agreement=AGREEMENT, revision=1, terms_digest=drafted.told["terms_digest"]
            )
        proposed = self._do(EAST, "propose-fee-schedule", **cast.fee_schedule(first))
        self._do(
            NORTH,
            "sign-fee-schedule",
            agreement=AGREEMENT,
            schedule=SCHEDULE,
            proposal_digest=proposed.told["proposal_digest"],
        )

    def _person(self, number: int) -> None:
        person = f"demo-p{number:03}"
        day = self.first_day + timedelta(days=number * 7 % 56)
        self._plan(self._at(day, 9), self._taken_in, person, day)
        if number % 5 == 0:
            return
        self._plan(self._at(day + timedelta(days=1), 10), self._asked_for, person, day)
        if number % 11 == 6:
            # A court stops this one before it leaves.
            self._plan(self._at(day + timedelta(days=2), 11), self._hold, person)
            return
        handover = day + timedelta(days=4)
        if number % 13 == 7:
            self._plan(self._at(handover, 12), self._handed_over, person, "first", handover, refused=True)
            handover += timedelta(days=2)
        self._plan(self._at(handover, 12), self._handed_over, person, "last", handover, refused=False)
        if number % 7 == 3:
            self._plan(self._at(handover + timedelta(days=6), 9), self._moved_by_mistake, person)
        if number % 9 == 4:
            left = handover + timedelta(days=20 + number % 10)
            self._plan(self._at(left, 8), self._released, person, left)

    def _taken_in(self, person: str, day: date) -> None:
        now = self._clock - timedelta(minutes=2)
        self._do(
            NORTH,
            "register-person",
            person=person,
            identity_status="established",
            attributes={"name": f"sha256:{document(person)}"},
            occurred_at=(now - timedelta(minutes=30)).isoformat(),
        )
        self._do(
            COURT,
            "record-basis",
            person=person,
            basis=f"{person}-b",
            kind="sentence",
            ordering_authority=COURT,
            instrument=document(f"judgment on {person}"),
            valid_from=day.isoformat(),
            must_end_by=day.replace(year=day.year + 2, day=1).isoformat(),
            indeterminate=False,
            occurred_at=(now - timedelta(minutes=30)).isoformat(),
        )
        self._do(
            NORTH,
            "open-custody",
            person=person,
            facility=N1 if int(person[-1]) % 2 else N2,
            authority=NORTH,
            basis=f"{person}-b",
            entry="new",
            deprived_at=(now - timedelta(hours=1)).isoformat(),
            deprived_by=NORTH,
            supervising_authority=MONITOR,
            particulars=cast.PARTICULARS,
            occurred_at=now.isoformat(),
        )

    def _asked_for(self, person: str, day: date) -> None:
        transfer = f"{person}-t"
        self._do(
            NORTH,
            "request-transfer",
            transfer=transfer,
            person=person,
            agreement=AGREEMENT,
            revision=1,
            rule_sets=["custody-contract"],
            basis=f"{person}-b",
            from_facility=N1 if int(person[-1]) % 2 else N2,
            to_facility=E1,
            purpose="custody-contract",
            window_from=day.isoformat(),
            window_to=(day + timedelta(days=14)).isoformat(),
            responsibility_after="sending",
        )
        for by, rule_set, condition in cast.EVIDENCE:
            self._do(
                by,
                "evidence-condition",
                transfer=transfer,
                rule_set=rule_set,
                condition=condition,
                outcome="met",
                evidence=document(f"{condition} of {person}"),
            )
        self._do(
            EAST,
            "approve-transfer",
            transfer=transfer,
            as_="receiving",
            reserved={"facility": E1, "from": day.isoformat(), "to": (day + timedelta(days=14)).isoformat()},
        )

    def _hold(self, person: str) -> None:
        self._do(
            COURT,
            "place-hold",
            hold=f"{person}-h",
            persons=[person],
            forbids=["depart", "hand-over"],
            effective_at=self._clock.isoformat(),
            instrument=document(f"stay for {person}"),
        )

    def _handed_over(self, person: str, which: str, day: date, *, refused: bool) -> None:
        handover = f"{person}-{which}"
        when = self._at(day, 12).isoformat()
        check = {"method": "document", "result": "match"}
        offer = self._do(
            NORTH,
            "offer-handover",
            handover=handover,
            transfer=f"{person}-t",
            place=E1,
            releasing={
                "authority": NORTH,
                "facility": N1 if int(person[-1]) % 2 else N2,
                "officer": f"{NORTH}-1",
            },
            receiving={"authority": EAST, "facility": E1},
            identity_check=check,
            property_seals=[],
            documents=[document(f"custody order on {person}")],
            occurred_at=when,
        )
        answers = offer.events[0].leaf_hash
        if refused:
            self._do(EAST, "refuse-handover", handover=handover, answers=answers, reasons=["papers-missing"])
            return
        self._do(
            EAST,
            "accept-handover",
            handover=handover,
            answers=answers,
            receiving={"authority": EAST, "facility": E1, "officer": f"{EAST}-1"},
            place=E1,
            identity_check=check,
            property_seals=[],
            documents=[],
            occurred_at=self._at(day, 12, 1).isoformat(),
        )

    def _moved_by_mistake(self, person: str) -> None:
        moved = self._do(
            EAST,
            "record-move-within",
            person=person,
            from_facility=E1,
            to_facility=E2,
            reason="population",
            occurred_at=(self._clock - timedelta(minutes=2)).isoformat(),
        )
        self._do(
            EAST,
            "correct-fact",
            corrects=moved.events[0].event_id,
            reason="did-not-occur",
            countersigned_by={"authority": AUDITOR, "officer": f"{AUDITOR}-1"},
        )

    def _released(self, person: str, day: date) -> None:
        now = self._clock - timedelta(minutes=2)
        release = f"{person}-r"
        self._do(
            COURT,
            "order-release",
            person=person,
            release=release,
            ground="court-order",
            bases=[f"{person}-b"],
            due_at=now.isoformat(),
            instrument=document(f"order on {person}"),
            occurred_at=now.isoformat(),
        )
        self._do(
            EAST,
            "record-release",
            person=person,
            release=release,
            facility=E1,
            kind="at-liberty",
            checks=cast.ALL_CHECKED,
            occurred_at=now.isoformat(),
        )
        seen = now + timedelta(minutes=1)
        self._do(
            MONITOR,
            "verify-release",
            person=person,
            release=release,
            how="spoken-to",
            evidence=document(f"conversation on {day} with {person}"),
            occurred_at=seen.isoformat(),
        )

    def _invoices(self) -> None:
        month, months = self.first_day, []
        while (following := (month + timedelta(days=32)).replace(day=1)) <= self.now.date():
            months.append((month, following))
            month = following
        for first, following in months:
            paid = (first, following) != months[-1]
            period = {"from": first.isoformat(), "to": (following - timedelta(days=1)).isoformat()}
            self._plan(self._at(following + timedelta(days=1), 9), self._invoice, period, paid=paid)

    def _invoice(self, period: dict[str, str], *, paid: bool) -> None:
        self._do(EAST, "close-period", agreement=AGREEMENT, period=period)
        issued = self._do(EAST, "issue-invoice", agreement=AGREEMENT, period=period)
        assert self._writer is not None
        file = self._writer.register.invoice(issued.told["number"])
        assert file is not None
        payable = {"amount": f"{file.open.minor // 100}.{file.open.minor % 100:02}", "currency": file.open.currency}
        number = issued.told["number"]
        for officer in (1, 2) if paid else (1,):
            self._do(f"{NORTH}/{NORTH}-{officer}", "approve-invoice", number=number, payable=payable)
        if paid:
            self._do(
                EAST,
                "record-payment",
                payment=f"demo-pay-{number.lower()}",
                agreement=AGREEMENT,
                amount=payable,
                external_ref=f"transfer for {number}",
                value_date=self._clock.date().isoformat(),
                allocations=[{"invoice": number, "amount": payable}],
            )
