"""Each law of DOMAIN §6.7, broken once: it alone speaks up, and says about whom and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from domain.events.invoice import CustodyDaysBilled
from domain.names import FacilityId, PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.beliefs import beliefs_stand
from ledger.audit.laws.lives import Life, life, lives
from ledger.audit.laws.places import Rosters
from ledger.audit.laws.table import OF_A_LIFE
from ledger.audit.record import read_record
from ledger.audit.verify import BROKEN, CLEAN, exit_code, verify
from ledger.store import EventLog
from tests.domain.billing import fees
from tests.domain.custody import facts
from tests.ledger.audit.intruder import Leaf, made_anew
from tests.ledger.audit.stories import BEN, correct, did_not_occur, handed_over, last, whole
from tests.scene import AUDIT, E2, EAST, NORTH, Scene, at, registry

ANN = PersonId("p-ann")
ACCEPTED, MOVED_IN_NORTH, VERIFIED = 38, 30, 47


def broken(log: EventLog) -> dict[str, list[Finding]]:
    """What an audit finds beside the fences, by check."""
    return {check.code: check.findings for check in verify(log) if check.findings and check.code != "store"}


def summary(findings: list[Finding]) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.subject, one.positions) for one in findings]


def test_an_honest_log_keeps_every_law() -> None:
    checks = verify(whole().log)
    assert [check.code for check in checks if not check.kept] == ["checkpoints", "outside", "L4", "L12", "L13"]
    assert [check.result for check in checks if check.kept] == ["holds"] * 12
    assert exit_code(checks) == CLEAN
    assert all(check.looked_at for check in checks if check.kept and check.code != "L10")


# Laws that the fold keeps whatever the log says: a timeline made by hand breaks them.


def the_life(person: str = ANN) -> Life:
    record = read_record(whole().log)
    return life(PersonId(person), record.people[PersonId(person)], record.register)


def with_spell(one: Life, index: int, **changes: Any) -> Life:
    spells = list(one.timeline.spells)
    spells[index] = msgspec.structs.replace(spells[index], **changes)
    return replace(one, timeline=msgspec.structs.replace(one.timeline, spells=tuple(spells)))


def with_placement(one: Life, index: int, **changes: Any) -> Life:
    placements = list(one.timeline.placements)
    placements[index] = msgspec.structs.replace(placements[index], **changes)
    return replace(one, timeline=msgspec.structs.replace(one.timeline, placements=tuple(placements)))


HOUR = timedelta(hours=1)
MADE_BY_HAND: dict[str, tuple[str, Callable[[], Life], tuple[int, ...]]] = {
    "a hole between two spells": (
        "L1",
        lambda: with_spell(the_life(), 1, to=at("2025-02-28T08:00:00Z")),
        (MOVED_IN_NORTH, MOVED_IN_NORTH),
    ),
    "an overlap of two spells": (
        "L1",
        lambda: with_spell(the_life(), 1, to=at("2025-02-28T11:00:00Z")),
        (MOVED_IN_NORTH, MOVED_IN_NORTH),
    ),
    "time that ends": ("L1", lambda: with_spell(the_life(), -1, to=at("2025-03-09T00:00:00Z"), ended_by=49), (49,)),
    "a fact in no spell": ("L1", lambda: with_spell(the_life(), 0, facts=(24,)), (25,)),
    "another status than the fold's": ("L1", lambda: with_spell(the_life(), 2, status="absent"), (MOVED_IN_NORTH,)),
    "nobody unaccounted who is": ("L1", lambda: forgotten(the_life()), (40,)),
    "a fact counts that is corrected": ("L1", lambda: counting_all(the_life()), (39,)),
    "a fact counts no more that nobody corrected": ("L1", lambda: counting_one_less(the_life(BEN)), (29,)),
    "nobody is responsible": ("L2", lambda: with_spell(the_life(), 1, responsible=None), (26,)),
    "somebody answers for a closed file": ("L2", lambda: with_spell(the_life(BEN), -1, responsible="north"), (47,)),
    "responsibility passes by a move": (
        "L2",
        lambda: with_spell(the_life(), -2, responsible="east"),
        (ACCEPTED, 42),
    ),
    "custody passes by a move": ("L3", lambda: with_spell(the_life(), 2, custodian="east"), (26, MOVED_IN_NORTH)),
    "counted at another place": ("L5", lambda: with_placement(the_life(), 0, facility=FacilityId("n-1")), (44,)),
    "a midnight too many": ("L6", lambda: with_placement(the_life(BEN), 0, midnights=99), (29, 46)),
    "two places at one midnight": (
        "L6",
        lambda: with_placement(the_life(), 0, to=at("2025-03-01T00:00:00Z")),
        (26, MOVED_IN_NORTH),
    ),
    "a file closed by a move": ("L7", lambda: with_spell(the_life(), 2, file="closed"), (MOVED_IN_NORTH,)),
    "a verified release that closes nothing": ("L7", lambda: with_spell(the_life(BEN), -1, file="open"), (VERIFIED,)),
    "a correction that moved no spell": ("L8", lambda: as_if_uncorrected(the_life()), (42,)),
}


def forgotten(one: Life) -> Life:
    return replace(one, timeline=msgspec.structs.replace(one.timeline, unaccounted=()))


def counting_all(one: Life) -> Life:
    return replace(one, counting=replace(one.counting, corrected_by={}))


def counting_one_less(one: Life) -> Life:
    opened = next(event for event in one.events if event.position == 29)
    return replace(one, counting=replace(one.counting, corrected_by={opened.event_id: one.events[-1]}))


def as_if_uncorrected(one: Life) -> Life:
    wrong = life(one.person, [event for event in one.events if event.position < 41], one.places)
    return replace(one, timeline=wrong.timeline)


@pytest.mark.parametrize("sentence", MADE_BY_HAND)
def test_a_timeline_that_breaks_a_law(sentence: str) -> None:
    law, make, positions = MADE_BY_HAND[sentence]
    found = list(OF_A_LIFE[law](make()))
    assert any(one.positions == positions for one in found), summary(found)
    assert {(one.law, one.subject.partition(":")[0], one.open) for one in found} == {(law, "person", False)}


AGAIN = "2025-03-07T10:00:00Z"
OPEN_AGAIN: dict[str, tuple[Any, ...]] = {
    "an opening": ("custody-opened", AGAIN, "north", {"facility": "n-1"}, {"mode": "claim"}),
    "a move": ("moved-within", AGAIN, "north", {"to_facility": "n-2"}, {"mode": "report"}),
    "an acceptance": (
        "handover-accepted",
        AGAIN,
        "south",
        {"handover": "h1", "receiving": {"authority": "south", "facility": "s-1"}},
    ),
    "a release": ("person-released", AGAIN, "north", {"release": "r2"}, {"mode": "report"}),
    "a presence": ("presence-reported", AGAIN, "north", {"facility": "n-1"}),
    "a declaration of error": ("release-declared-erroneous", AGAIN, "watch", {"release": "r1"}),
}


@pytest.mark.parametrize("sentence", OPEN_AGAIN)
def test_what_opens_a_closed_file_again(sentence: str) -> None:
    """Law L7 says so of each such fact, and of a spell that stays closed after it that it is wrong."""
    log = facts.log(
        ("custody-opened", "2025-03-01T10:00:00Z", "north", {"facility": "n-1"}),
        ("person-released", "2025-03-04T10:00:00Z", "north", {"release": "r1"}),
        ("release-verified", "2025-03-05T10:00:00Z", "watch", {"release": "r1"}),
        OPEN_AGAIN[sentence],
    )
    one = life(PersonId("p1"), log, facts.NORTH_AND_SOUTH)
    assert [spell.file for spell in one.timeline.spells][-2:] == ["closed", "open"]
    assert list(OF_A_LIFE["L7"](one)) == []
    [found] = OF_A_LIFE["L7"](with_spell(one, -1, file="closed"))
    assert (found.positions, found.expected.partition(" (")[0]) == ((log[-1].position,), "an open file")


def test_the_days_of_a_place_are_counted_name_by_name() -> None:
    one = with_placement(the_life(BEN), 0, to=at("2025-03-02T09:00:00Z"))
    rosters = Rosters(one.places)
    rosters.take(one)
    found = [finding for _, findings in rosters.days(FacilityId("n-1")) for finding in findings]
    assert [finding.subject for finding in found][:2] == ["facility:n-1 on 2025-03-02"] * 2
    assert "p-ben" in found[1].found
    assert found[0].expected == "start 1, in 0, out 0, end 1"
    assert found[0].found == "start 1, in 0, out 1, end 0"


def test_who_comes_and_goes_at_midnight_counts_for_the_day_that_begins() -> None:
    midnight, week_later = "2025-03-01T05:00:00Z", "2025-03-08T05:00:00Z"
    log = facts.log(
        ("custody-opened", midnight, "north", {"facility": "n-1"}, {"mode": "claim"}),
        ("moved-within", week_later, "north", {"to_facility": "n-2"}, {"mode": "claim"}),
    )
    rosters = Rosters(facts.NORTH_AND_SOUTH)
    rosters.take(life(PersonId("p1"), log, facts.NORTH_AND_SOUTH))
    for place, first in ((FacilityId("n-1"), date(2025, 3, 1)), (FacilityId("n-2"), date(2025, 3, 8))):
        days = list(rosters.days(place))
        assert [findings for _, findings in days if findings] == []
        assert (days[0][0].date, days[0][0].start, days[0][0].in_, days[0][0].end) == (first, 0, 1, 1)
    [n_1] = [row for row, _ in rosters.days(FacilityId("n-1")) if row.out]
    assert (n_1.date, n_1.start, n_1.end) == (date(2025, 3, 8), 1, 0)


# Beliefs.


def test_a_file_that_grew_into_something_else() -> None:
    record = read_record(whole().log)
    one, file = the_life(), record.register.person(ANN)
    assert file is not None
    assert list(beliefs_stand(one, file)) == []
    head = msgspec.structs.replace(file.head, stay_since=file.head.stay_since and file.head.stay_since + HOUR)
    assert {finding.law for finding in beliefs_stand(one, msgspec.structs.replace(file, head=head))} == {"L9"}
    assert {finding.law for finding in beliefs_stand(one, msgspec.structs.replace(file, events=file.events[1:]))} == {
        "L9"
    }


def test_every_knowledge_is_looked_at_where_the_past_was_rewritten() -> None:
    record = read_record(whole().log)
    positions = [one.known_at for one in lives(ANN, record.people[ANN], record.register)]
    assert positions == [event.position for event in record.people[ANN]]
    ben = list(lives(PersonId(BEN), record.people[PersonId(BEN)], record.register))
    assert [one.is_in_order for one in ben] == [True]


# Logs whose tree was made anew: rows and links are in order, the law alone can tell.


def by_north(position: int, leaf: Leaf) -> Leaf:
    """The acceptance signed by those who made the offer."""
    return {**leaf, "actor": {**leaf["actor"], "authority": NORTH}} if position == ACCEPTED else leaf


def unoffered(position: int, leaf: Leaf) -> Leaf:
    """An offer turned into something else."""
    return {**leaf, "stream": "person:p-cat"} if position == ACCEPTED - 1 else leaf


def test_one_side_that_signs_both_halves() -> None:
    found = broken(made_anew(whole().log, by_north))
    assert list(found) == ["L3"]
    assert {one.positions for one in found["L3"]} == {(37, 38)}
    assert found["L3"][0].found.startswith("north signed both")


def test_an_acceptance_of_nothing() -> None:
    found = broken(made_anew(whole().log, unoffered))
    assert "L3" in found
    assert (ACCEPTED,) in {one.positions for one in found["L3"]}


def test_an_acceptance_that_answers_an_offer_taken_away() -> None:
    scene = handed_over()
    offer = last(scene, "handover-offered.v1")
    scene.at("2025-03-02T12:00:00Z")
    correct(scene, offer, NORTH, occurred_at="2025-03-01T11:00:00Z", signed=EAST)
    assert broken(scene.log) == {}
    found = broken(in_another_order(scene.log))
    assert list(found) == ["L3"]
    assert {one.positions for one in found["L3"]} == {(39, 40)}


def in_another_order(log: EventLog) -> EventLog:
    """The correction of the offer before the acceptance, which then answers what counts no more."""
    order = [*range(1, 38), 39, 40, 38]
    leaves = _leaves(log)
    shuffled = [leaves[position - 1] for position in order]
    for leaf in shuffled[37:]:
        leaf["recorded_at"] = "2025-03-02T12:00:00.000Z"
    return made_anew(log, lambda position, _: shuffled[position - 1])


def _leaves(log: EventLog) -> list[Leaf]:
    return [msgspec.json.decode(row.leaf) for row in log.read(0, 1000)]


def test_two_corrections_of_one_event() -> None:
    scene = handed_over()
    did_not_occur(scene, last(scene, "moved-within.v1"), NORTH)
    [*_, correction] = _leaves(scene.log)
    again = {**correction, "event_id": "00000000-0000-7000-8000-00000000beef", "command_id": "again"}
    found = broken(made_anew(scene.log, more=[again]))
    assert [(one.law, one.positions) for one in found["L11"]] == [("L11", (39, 40))]


def test_time_that_runs_backwards() -> None:
    def early(position: int, leaf: Leaf) -> Leaf:
        return {**leaf, "recorded_at": "2025-02-28T11:59:59.000Z"} if position == ACCEPTED else leaf

    found = broken(made_anew(whole().log, early))
    assert [(one.law, one.positions) for one in found["L11"]] == [("L11", (37, 38))]


# Billed days.


def billed(until: str | None = None) -> Scene:
    """Ann with east from 2 March on, March closed and billed: 30 days."""
    scene = registry(Scene(now="2025-02-20T12:00:00Z"))
    fees.priced(fees.agreed(scene))
    fees.registered(scene, ANN)
    fees.accepted(scene.at("2025-03-02T12:00:00Z"), ANN, "2025-03-02T10:00:00Z")
    if until is not None:
        fees.released(scene.at(until), ANN, until)
    fees.issued(scene.at("2025-04-02T12:00:00Z"))
    return scene


def claim_of(scene: Scene) -> int:
    return last(scene, CustodyDaysBilled.wire).position


def changed(scene: Scene, **body: object) -> EventLog:
    """The claim with other fields, the tree made anew."""
    position = claim_of(scene)

    def change(at: int, leaf: Leaf) -> Leaf:
        return {**leaf, "body": {**leaf["body"], **body}} if at == position else leaf

    return made_anew(scene.log, change)


def test_billed_days_that_were_held() -> None:
    assert broken(billed().log) == {}
    assert broken(billed(until="2025-03-20T09:00:00Z").log) == {}


def test_a_day_before_the_acceptance() -> None:
    scene = billed()
    log = changed(scene, ranges=[{"from": "2025-03-01", "to": "2025-03-31"}], days=31)
    found = broken(log)
    assert list(found) == ["L10"]
    assert found["L10"][0].positions[0] == claim_of(scene)
    assert found["L10"][0].expected == "held at e-1 on 2025-03-01"
    assert exit_code(verify(log)) == BROKEN


def test_a_day_of_departure_is_none() -> None:
    scene = billed(until="2025-03-20T09:00:00Z")
    found = broken(changed(scene, ranges=[{"from": "2025-03-02", "to": "2025-03-20"}], days=19))
    assert [(one.expected.partition(",")[0], one.found) for one in found["L10"]] == [
        ("2025-03-20 earned", "departure-day")
    ]


def test_days_at_a_place_that_held_nobody() -> None:
    found = broken(changed(billed(), facility=E2))
    assert [one.expected for one in found["L10"]] == ["held at e-2 on 2025-03-02 to 2025-03-31"]


def test_a_claim_that_does_not_add_up() -> None:
    found = broken(changed(billed(), days=29))
    assert [(one.expected, one.found) for one in found["L10"]] == [("29 days", "30 dates in its ranges")]


def test_a_claim_that_cites_nothing() -> None:
    found = broken(changed(billed(), basis=[]))
    assert [one.expected for one in found["L10"]] == ["the positions that earn the days"]


def test_a_day_billed_twice() -> None:
    scene = billed()
    leaves = _leaves(scene.log)
    claim = leaves[claim_of(scene) - 1]
    again = {**claim, "event_id": "00000000-0000-7000-8000-00000000beef", "command_id": "again"}
    found = broken(made_anew(scene.log, more=[again]))
    assert list(found) == ["L10"]
    assert [one.positions for one in found["L10"]] == [(len(leaves) + 1, claim_of(scene))]
    assert found["L10"][0].expected == "2025-03-02 to 2025-03-31 billed once"


def test_days_that_a_correction_takes_away_are_open_and_break_nothing() -> None:
    scene = billed(until="2025-03-20T09:00:00Z")
    claim = claim_of(scene)
    scene.at("2025-04-05T09:00:00Z")
    correct(scene, last(scene, "person-released.v1"), EAST, occurred_at="2025-03-18T09:00:00Z", signed=AUDIT)
    checks = verify(scene.log)
    assert exit_code(checks) == CLEAN
    [l10] = [check for check in checks if check.code == "L10"]
    assert l10.result == "holds"
    assert [(one.open, one.expected, one.found, one.positions) for one in l10.findings] == [
        (True, "2025-03-18 billed as closed at 38", "departure-day since", (claim, claim + 2)),
        (True, "2025-03-19 billed as closed at 38", "not-in-custody since", (claim, claim + 2)),
    ]
