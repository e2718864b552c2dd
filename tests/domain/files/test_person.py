"""The person's file: it grows event by event, and its head is always the fold of all of them."""

from __future__ import annotations

from datetime import date

from domain.custody.fold import fold
from domain.events.agreement import Period
from domain.events.event import Event
from domain.events.invoice import CustodyDaysBilled
from domain.files.person import PersonFile, evolve
from domain.names import CaseRef, FacilityId, PersonId
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact, utc
from tests.domain.custody.test_papers import start


def grown(log: list[Event]) -> PersonFile:
    file: PersonFile | None = None
    for one in log:
        file = evolve(file, one, PLACES)
    assert file is not None
    return file


def test_a_file_opens_with_the_registration() -> None:
    file = grown(list(start()[:1]))
    assert (file.person, file.version, file.registered_by, file.identity_status) == ("p1", 1, "north", "established")
    assert file.head.status.value == "none"


def test_the_version_is_that_of_the_persons_own_stream() -> None:
    log = start().request()
    assert grown(log).version == 2
    assert grown(log.then("moved-within", body={"to_facility": "n-2"})).version == 4
    assert [event.position for event in grown(log).events] == [1, 2, 3, 4]


def test_days_billed_stand_apart_from_custody() -> None:
    day = date(2025, 3, 1)
    body = CustodyDaysBilled(
        flags=(),
        claim=1,
        person=PersonId("p1"),
        case_ref=CaseRef("c1"),
        facility=FacilityId("n-1"),
        ranges=(Period(from_=day, to=day),),
        days=1,
        basis=(2,),
    )
    template = fact(3, "release-date-set", "2025-04-01T00:00:00+00:00")
    billed = Event(
        position=3,
        event_id=template.event_id,
        stream="invoice:i1",
        stream_version=2,
        actor=template.actor,
        occurred_at=template.occurred_at,
        recorded_at=template.recorded_at,
        command_id="c3",
        leaf_hash="AA==",
        body=body,
    )
    before, after = grown(start()), grown([*start(), billed])
    assert [(one.stream, one.position, one.body) for one in after.billed] == [("invoice:i1", 3, body)]
    assert (after.events, after.version, after.head) == (before.events, before.version, before.head)
    assert grown([billed, *start()]).head.status.value == "held"


def test_a_late_fact_and_a_correction_change_the_head() -> None:
    log = start().then("moved-within", body={"to_facility": "n-2"})
    log.then("custody-opened", "south", "2025-02-01T10:00:00+00:00", body={"facility": "s-1", "authority": "south"})
    file = grown(log)
    assert file.head == fold(log, PLACES)
    assert file.head.stay_since == utc("2025-02-01 10:00")
    assert grown(log.correct(4)).head.stay_since == utc("2025-03-01 10:00")


def test_a_file_whose_every_fact_was_taken_away_is_without_custody() -> None:
    log = [*start()[:1], fact(2, "fact-corrected", "2025-03-02T09:00:00Z", body={"corrects": 1, "reason": "duplicate"})]
    file = grown(log)
    assert (file.head.status.value, file.head.responsible.value, file.registered_by) == ("none", "north", "north")
    assert file.at(utc("2025-03-09 00:00"), PLACES) is None
    assert fold(log, PLACES) is None


def test_a_file_answers_for_any_instant() -> None:
    file = grown(start().then("moved-within", body={"to_facility": "n-2"}))
    places = [
        (state.placement.value if state.placement else state.status.value) if state else None
        for state in (
            file.at(utc(instant), PLACES)
            for instant in ("2025-03-01 08:00", "2025-03-01 09:00", "2025-03-01 10:00", "2025-03-09 00:00")
        )
    ]
    assert places == [None, "none", "n-1", "n-2"]


def test_an_event_is_found_by_its_id() -> None:
    file = grown(start())
    found = file.event(file.events[1].event_id)
    assert found is file.events[1]
    assert file.event(fact(9, "release-date-set", "2025-03-01T00:00:00Z").event_id) is None


def test_an_offer_opens_again_with_the_custody_that_a_plain_fact_restores() -> None:
    log = start().release(at="2025-03-02T10:00:00+00:00").approved().offer()
    assert [offer.status for offer in grown(log).head.offers.values()] == ["lapsed"]
    log.then("custody-opened", body={"facility": "n-1"})
    assert [offer.status for offer in grown(log).head.offers.values()] == ["open"]
    assert grown(log).head == fold(log, PLACES)
