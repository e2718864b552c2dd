"""The fold, cell by cell: each fact of custody on each status this register can reach, by whom and in which mode."""

from __future__ import annotations

from typing import Any

import pytest

from domain.custody.fold import fold
from domain.custody.state import CustodyState
from domain.events.event import Event
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact, log, utc

Row = tuple[Any, ...]

REGISTERED: Row = ("person-registered", "2025-03-01T09:00Z", "north")
OPENED: Row = ("custody-opened", "2025-03-01T10:00Z", "north", {"facility": "n-1", "basis": "b1"})
RELEASED: Row = ("person-released", "2025-03-04T10:00Z", "north", {"release": "r1"})
VERIFIED: Row = ("release-verified", "2025-03-05T10:00Z", "watch", {"release": "r1"})
DECLARED: Row = ("release-declared-erroneous", "2025-03-06T10:00Z", "court-n", {"release": "r1"})

NONE: list[Row] = [REGISTERED]
HELD = [REGISTERED, OPENED]
UNVERIFIED = [*HELD, RELEASED]
CLOSED = [*UNVERIFIED, VERIFIED]

LATER = "2025-03-10T10:00Z"


def opens(by: str, facility: str, mode: str = "claim", authority: str | None = None) -> Row:
    return ("custody-opened", LATER, by, {"facility": facility, "authority": authority or by}, {"mode": mode})


def moves(by: str, facility: str, mode: str = "claim") -> Row:
    return ("moved-within", LATER, by, {"to_facility": facility}, {"mode": mode})


def releases(by: str, mode: str = "claim", **body: str) -> Row:
    return ("person-released", LATER, by, {"release": "r9", **body}, {"mode": mode})


def sees(by: str, facility: str) -> Row:
    return ("presence-reported", LATER, by, {"facility": facility})


def accepts(by: str, facility: str) -> Row:
    return ("handover-accepted", LATER, by, {"handover": "h1", "receiving": {"authority": by, "facility": facility}})


def events(rows: list[Row]) -> list[Event]:
    return log(*rows)


def shown(state: CustodyState | None) -> str:
    """The state in one line: status, who answers, who holds, where, and what is out of the ordinary."""
    assert state is not None
    line = f"{state.status.value} {state.responsible.value} {state.custodian.value} {state.at.value}"
    placed = f" in {state.placement.value}" if state.placement is not None else ""
    doubts = " contradicted" if state.contradicted else ""
    return line + placed + ("" if state.file_open else " closed") + doubts + " cause" * len(state.causes)


@pytest.mark.parametrize(
    ("given", "then", "expected"),
    [
        # custody-opened
        pytest.param(NONE, opens("south", "s-1"), "held south south facility:s-1 in s-1", id="none: the opener holds"),
        pytest.param(
            NONE, opens("south", "s-1", "report"), "held south south facility:s-1 in s-1", id="none: also by report"
        ),
        pytest.param(
            HELD,
            opens("south", "s-1", "report"),
            "held north north reported:s-1 in n-1 contradicted cause",
            id="held: another authority's report moves whereabouts alone",
        ),
        pytest.param(
            HELD,
            opens("north", "n-2", "report"),
            "held north north facility:n-2 in n-2",
            id="held: the custodian's own",
        ),
        pytest.param(
            HELD,
            opens("north-ministry", "n-2", "report", "north"),
            "held north north facility:n-2 in n-2",
            id="held: the authority that runs the custodian speaks for it",
        ),
        pytest.param(
            HELD,
            opens("south", "s-1"),
            "held south south facility:s-1 in s-1 contradicted",
            id="held: a claim granted when nobody held takes custody, contradicted",
        ),
        pytest.param(
            UNVERIFIED, opens("south", "s-1"), "held south south facility:s-1 in s-1", id="unverified: a claim takes"
        ),
        pytest.param(
            UNVERIFIED,
            opens("south", "s-1", "report"),
            "released-unverified north north reported:s-1 contradicted cause",
            id="unverified: a report by another authority does not",
        ),
        pytest.param(
            UNVERIFIED,
            opens("north", "n-1", "report"),
            "held north north facility:n-1 in n-1",
            id="unverified: the custodian's own report does",
        ),
        pytest.param(
            CLOSED,
            opens("south", "s-1", "report"),
            "held south south facility:s-1 in s-1",
            id="closed: reopens under the opener",
        ),
        # moved-within
        pytest.param(
            NONE,
            moves("south", "s-1", "report"),
            "held south south facility:s-1 in s-1",
            id="none: a move of one whom nobody held is an opening by its reporter",
        ),
        pytest.param(HELD, moves("north", "n-2"), "held north north facility:n-2 in n-2", id="held: moves"),
        pytest.param(
            HELD,
            moves("south", "s-2", "report"),
            "held north north reported:s-2 in n-1 contradicted cause",
            id="held: not by another authority",
        ),
        pytest.param(
            HELD,
            moves("south", "s-2"),
            "held north north facility:s-2 in s-2",
            id="held: a granted claim has its effect",
        ),
        pytest.param(
            UNVERIFIED,
            moves("north", "n-2", "report"),
            "held north north facility:n-2 in n-2",
            id="unverified: held again, and no cause",
        ),
        pytest.param(
            CLOSED,
            moves("north", "n-2", "report"),
            "held north north facility:n-2 in n-2 contradicted cause",
            id="closed: reopens under the last custodian, contradicted",
        ),
        pytest.param(
            CLOSED,
            moves("south", "s-2", "report"),
            "released north north reported:s-2 contradicted cause",
            id="closed: another authority's reopens and moves whereabouts alone",
        ),
        # person-released
        pytest.param(HELD, releases("north"), "released-unverified north north at-liberty", id="held: let go"),
        pytest.param(
            HELD,
            releases("north", kind="deported", to_state="SV"),
            "released-unverified north north deported:SV",
            id="held: deported",
        ),
        pytest.param(
            HELD,
            releases("north", kind="to-authority", to_authority="third"),
            "released-unverified north north outside:third",
            id="held: to an authority outside",
        ),
        pytest.param(
            HELD, releases("north", kind="not-stated"), "released-unverified north north unknown", id="held: not stated"
        ),
        pytest.param(
            HELD,
            releases("south", "report"),
            "held north north reported:at-liberty in n-1 contradicted cause",
            id="held: not by another authority's report",
        ),
        pytest.param(
            CLOSED,
            releases("north", "report"),
            "released-unverified north north at-liberty contradicted",
            id="closed: reopens, no cause by the last custodian",
        ),
        pytest.param(
            CLOSED,
            releases("south", "report"),
            "released north north reported:at-liberty contradicted cause",
            id="closed: a cause by another",
        ),
        pytest.param(
            NONE, releases("north", "report"), "released-unverified north None at-liberty", id="none: takes its target"
        ),
        # presence-reported
        pytest.param(
            HELD, sees("south", "n-1"), "held north north facility:n-1 in n-1", id="held: at that place it fits"
        ),
        pytest.param(
            HELD, sees("north", "n-2"), "held north north reported:n-2 in n-1 contradicted cause", id="held: elsewhere"
        ),
        pytest.param(
            NONE, sees("south", "s-1"), "none north None reported:s-1 contradicted cause", id="none: contradicts"
        ),
        pytest.param(
            CLOSED, sees("south", "s-1"), "released north north reported:s-1 contradicted cause", id="closed: reopens"
        ),
        # release-verified, release-declared-erroneous
        pytest.param(
            UNVERIFIED, VERIFIED, "released None None at-liberty closed", id="unverified: verified and closed"
        ),
        pytest.param(HELD, VERIFIED, "held north north facility:n-1 in n-1", id="held: no release, nothing closes"),
        pytest.param(
            UNVERIFIED, DECLARED, "released-unverified north north at-liberty-in-error", id="unverified: in error"
        ),
        pytest.param(
            CLOSED, DECLARED, "released-unverified north north at-liberty-in-error", id="closed: in error, reopens"
        ),
        pytest.param(
            [*UNVERIFIED, DECLARED],
            ("release-verified", LATER, "watch", {"release": "r1"}),
            "released-unverified north north at-liberty-in-error",
            id="in error: its verification closes nothing",
        ),
        pytest.param(HELD, DECLARED, "held north north facility:n-1 in n-1", id="held: no release to be in error"),
        # handover-accepted
        pytest.param(
            HELD, accepts("south", "s-1"), "held north south facility:s-1 in s-1", id="held: custody passes, no more"
        ),
        pytest.param(
            CLOSED,
            accepts("south", "s-1"),
            "held north south facility:s-1 in s-1 contradicted",
            id="closed: a granted acceptance has its effect and reopens",
        ),
    ],
)
def test_each_fact_takes_its_target(given: list[Row], then: Row, expected: str) -> None:
    assert shown(fold(events([*given, then]), PLACES)) == expected


def test_no_fact_no_file() -> None:
    assert fold([], PLACES) is None
    assert fold(events(HELD), PLACES, utc("2025-03-01 08:59")) is None
    assert shown(fold(events(HELD), PLACES, utc("2025-03-01 09:00"))) == "none north None not-in-custody"


def test_the_file_opens_at_the_earliest_fact_under_who_registered_the_person() -> None:
    basis: Row = ("custody-basis-recorded", "2025-02-01T10:00Z", "court-n", {"basis": "b1"})
    early = ("custody-opened", "2025-02-02T10:00Z", "south", {"facility": "s-1", "authority": "south"})
    assert shown(fold(events([REGISTERED, basis]), PLACES, utc("2025-02-20 00:00"))) == "none north None not-in-custody"
    assert shown(fold(events([REGISTERED, early]), PLACES)) == "held south south facility:s-1 in s-1"


def test_a_custody_fact_or_a_presence_at_the_place_on_record_ends_a_contradiction() -> None:
    contradicted = [*HELD, ("presence-reported", "2025-03-08T10:00Z", "south", {"facility": "s-1"})]
    for then in (sees("watch", "n-1"), moves("north", "n-2"), releases("north")):
        state = fold(events([*contradicted, then]), PLACES)
        assert state is not None
        assert (state.causes, state.contradicted) == ((), False)


def test_a_cause_makes_unaccounted_a_day_later() -> None:
    state = fold(events([*HELD, sees("south", "s-1")]), PLACES)
    assert state is not None
    assert state.unaccounted(utc("2025-03-11 09:59")) == ()
    assert [cause.anchor for cause in state.unaccounted(utc("2025-03-11 10:00"))] == [3]


def test_what_an_importer_states_begins_no_cause() -> None:
    presence = ("presence-reported", LATER, "south", {"facility": "s-1"}, {"credential": "import:roster"})
    assert shown(fold(events([*HELD, presence]), PLACES)) == "held north north reported:s-1 in n-1 contradicted"


def test_a_verification_before_its_release_in_time_still_has_its_effect() -> None:
    late = fact(6, "person-released", "2025-03-07T10:00:00+00:00", body={"release": "r1"})
    correction = fact(5, "fact-corrected", LATER, body={"corrects": 3, "reason": "incorrect-data", "replacement": 6})
    facts = [*events(CLOSED), correction, late]
    assert shown(fold(facts, PLACES, utc("2025-03-06 00:00"))) == "released None None at-liberty closed".replace(
        "at-liberty", "facility:n-1"
    )
    assert shown(fold(facts, PLACES)) == "released-unverified north north at-liberty contradicted"


@pytest.mark.parametrize("end", [pytest.param(VERIFIED, id="confirmed"), pytest.param(DECLARED, id="in error")])
def test_nobody_elses_report_keeps_up_what_ended_with_a_release_that_did_not_occur(end: Row) -> None:
    reported = ("person-released", "2025-03-03T10:00Z", "south", {"release": "r1"}, {"mode": "report"})
    correction = fact(6, "fact-corrected", LATER, body={"corrects": 4, "reason": "did-not-occur"})
    facts = [*events([*HELD, reported, RELEASED, end]), correction]
    assert shown(fold(facts, PLACES)) == "held north north reported:at-liberty in n-1 contradicted cause"


def test_orders_and_dates_until_the_release_is_carried_out() -> None:
    order = ("release-ordered", "2025-03-02T10:00Z", "court-n", {"release": "r1"})
    dated = ("release-date-set", "2025-03-02T10:00Z", "north", {"release_due_on": "2025-06-30"})
    ordered = fold(events([*HELD, order, dated]), PLACES)
    assert ordered is not None
    assert ordered.order is not None
    assert ordered.order.body.release == "r1"
    assert ordered.release_date is not None
    assert ordered.release_date.body.release_due_on.isoformat() == "2025-06-30"
    carried_out = fold(events([*HELD, order, RELEASED]), PLACES)
    assert carried_out is not None
    assert carried_out.order is None
    recorded_late = fold(events([*UNVERIFIED, ("release-ordered", LATER, "court-n", {"release": "r1"})]), PLACES)
    assert recorded_late is not None
    assert recorded_late.order is None


def test_since_and_ref_name_the_fact_that_made_it_so() -> None:
    state = fold(events([*HELD, moves("north", "n-2")]), PLACES)
    assert state is not None
    assert [(one.since, one.ref) for one in (state.status, state.custodian)] == [(utc("2025-03-01 10:00"), 2)] * 2
    assert state.responsible.ref == 1
    assert state.at.ref == 3
    assert state.placement is not None
    assert (state.placement.since, state.placement.ref) == (utc("2025-03-10 10:00"), 3)
    assert (state.stay_since, state.last_change) == (utc("2025-03-01 10:00"), utc("2025-03-10 10:00"))
    assert (state.basis, state.last_facility, state.last_custodian) == ("b1", "n-2", "north")


def test_a_declaration_of_error_holds_for_its_release_wherever_a_correction_puts_it() -> None:
    correction = fact(6, "fact-corrected", LATER, body={"corrects": 3, "reason": "incorrect-data", "replacement": 7})
    release = fact(7, "person-released", "2025-03-07T10:00:00+00:00", body={"release": "r1"})
    facts = [*events([*CLOSED, DECLARED]), correction, release]
    assert shown(fold(facts, PLACES)) == "released-unverified north north at-liberty-in-error"


def test_the_same_place_under_another_custodian_is_another_placement() -> None:
    state = fold(events([*HELD, accepts("south", "n-1")]), PLACES)
    assert state is not None
    assert state.placement is not None
    assert (state.placement.value, state.placement.since, state.placement.ref) == ("n-1", utc("2025-03-10 10:00"), 3)
