"""Transfers, offers, holds and bases: folded by slot, beside the person's custody."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.custody.fold import fold
from domain.custody.state import CustodyState
from domain.events.event import Event
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact, utc

START = [
    fact(1, "person-registered", "2025-03-01T09:00:00+00:00"),
    fact(2, "custody-opened", "2025-03-01T10:00:00+00:00", body={"facility": "n-1"}),
]


class Log(list[Event]):
    """A log that grows by short rows, an hour apart from noon of 2 March on."""

    def then(self, wire: str, by: str = "north", at: str | None = None, **more: Any) -> Log:
        position = len(self) + 1
        self.append(fact(position, wire, at or f"2025-03-02T{9 + position:02}:00:00+00:00", by, **more))
        return self

    def request(self, **body: Any) -> Log:
        return self.then("transfer-requested", transfer="t1", body={"transfer": "t1", **body})

    def approve(self, role: str, by: str = "south") -> Log:
        return self.then("transfer-approved", by, transfer="t1", body={"as": role})

    def approved(self) -> Log:
        return self.request().approve("receiving").approve("court", "court-n")

    def offer(self, handover: str = "h1") -> Log:
        receiving = {"authority": "south", "facility": "s-1"}
        return self.then("handover-offered", body={"handover": handover, "receiving": receiving})

    def accept(self, handover: str = "h1") -> Log:
        receiving = {"authority": "south", "facility": "s-1"}
        return self.then("handover-accepted", "south", body={"handover": handover, "receiving": receiving})

    def refuse(self, handover: str = "h1") -> Log:
        return self.then("handover-refused", "south", body={"handover": handover})

    def release(self, by: str = "north", mode: str = "claim", at: str | None = None) -> Log:
        return self.then("person-released", by, at, body={"release": "r1"}, mode=mode)

    def correct(self, corrects: int, reason: str = "did-not-occur", **more: int) -> Log:
        return self.then("fact-corrected", body={"corrects": corrects, "reason": reason, **more})


def start() -> Log:
    return Log(START)


def state_of(log: Log) -> CustodyState:
    state = fold(log, PLACES)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("log", "status"),
    [
        pytest.param(start().request(), "requested", id="requested"),
        pytest.param(start().request().approve("receiving"), "requested", id="one approval of two"),
        pytest.param(start().request().approve("court").approve("receiving"), "approved", id="approved at the last"),
        pytest.param(start().request().approve("court").approve("court"), "requested", id="twice the same is one"),
        pytest.param(start().request().then("transfer-rejected", "south", transfer="t1"), "rejected", id="rejected"),
        pytest.param(start().approved().then("transfer-cancelled", transfer="t1"), "cancelled", id="cancelled"),
        pytest.param(start().approved().offer().accept(), "completed", id="completed at the origin"),
        pytest.param(start().approved().offer().refuse(), "refused", id="refused, and still open"),
        pytest.param(start().approved().offer().refuse().offer("h2").accept("h2"), "completed", id="accepted at last"),
        pytest.param(start().request().release(), "ended", id="ended by a release"),
        pytest.param(start().request().release("south", "report"), "requested", id="not by another authority's report"),
        pytest.param(
            start().request().release(at="2025-03-02T11:00:00+00:00"),
            "requested",
            id="not by a release before it was requested",
        ),
        pytest.param(
            start().approved().offer().accept().release("south", at="2025-03-02T15:00:00+00:00"),
            "completed",
            id="folded by slot: what was completed stays so",
        ),
        pytest.param(
            start().request().release().correct(4), "requested", id="open again once the release is taken away"
        ),
    ],
)
def test_a_transfer_stands(log: Log, status: str) -> None:
    assert state_of(log).transfers["t1"].status == status  # type: ignore[index]  # a state there is


def test_a_declaration_of_error_ends_no_transfer() -> None:
    """Only a release, a death, an escape or the closing of the file does (DOMAIN §4.1)."""
    log = start().release().then("custody-opened", body={"facility": "n-1"}).request()
    log.correct(4).then("release-declared-erroneous", "court-n", body={"release": "r1"})
    state = state_of(log)
    assert state.release is not None
    assert state.release.erroneous is not None
    assert state.transfers["t1"].status == "requested"  # type: ignore[index]  # a state there is


def test_a_request_corrected_to_before_a_release_was_ended_by_it() -> None:
    log = start().release(at="2025-03-02T12:00:00+00:00")
    log.then("custody-opened", body={"facility": "n-1"}).request().correct(5, "incorrect-data", replacement=7)
    log.then("transfer-requested", at="2025-03-02T11:00:00+00:00", transfer="t1", body={"transfer": "t1"})
    (transfer,) = state_of(log).transfers.values()
    assert (transfer.status, transfer.closed) == ("ended", log[2])


def test_a_transfer_keeps_what_was_said_about_it() -> None:
    log = start().request().then("condition-evidenced", "south", transfer="t1").approve("receiving")
    (transfer,) = state_of(log).transfers.values()
    assert (transfer.evidence, transfer.approvals) == ((log[3],), (log[4],))
    assert transfer.approvals_required == ("receiving", "court")
    assert transfer.reserved is not None
    assert transfer.reserved.facility == "s-1"


@pytest.mark.parametrize(
    ("log", "status"),
    [
        pytest.param(start().approved().offer(), "open", id="open"),
        pytest.param(start().approved().offer().accept(), "accepted", id="accepted"),
        pytest.param(start().approved().offer().refuse(), "refused", id="refused"),
        pytest.param(start().approved().offer().release(), "lapsed", id="lapsed with the release"),
        pytest.param(
            start().approved().offer().then("transfer-cancelled", transfer="t1"),
            "lapsed",
            id="lapsed with the transfer",
        ),
        pytest.param(
            start().approved().offer().then("transfer-cancelled", transfer="t1").correct(7), "open", id="open again"
        ),
        pytest.param(start().approved().offer().accept().correct(7), "open", id="its answer did not occur"),
        pytest.param(
            start().approved().offer().release("south", "report"),
            "open",
            id="another authority's report lapses nothing",
        ),
    ],
)
def test_an_offer_stands(log: Log, status: str) -> None:
    (offer,) = state_of(log).offers.values()
    assert offer.status == status


def test_an_answer_finds_its_offer_also_where_a_correction_puts_the_offer_later() -> None:
    log = start().approved().offer().accept().correct(6, "incorrect-data", replacement=9)
    receiving = {"authority": "south", "facility": "s-1"}
    log.then("handover-offered", at="2025-03-03T10:00:00+00:00", body={"handover": "h1", "receiving": receiving})
    (offer,) = state_of(log).offers.values()
    assert (offer.recorded, offer.status) == (log[8], "accepted")


@pytest.mark.parametrize(("after", "responsible"), [("sending", "north"), ("receiving", "south")])
@pytest.mark.parametrize("taken_away", [False, True])
def test_responsibility_passes_as_the_transfer_says_also_once_its_offer_is_taken_away(
    after: str, responsible: str, taken_away: bool
) -> None:
    log = start().request(responsibility_after=after).approve("receiving").approve("court").offer().accept()
    state = state_of(log.correct(6) if taken_away else log)
    assert (state.responsible.value, state.custodian.value) == (responsible, "south")
    assert bool(state.offers) is not taken_away


def test_a_hold_binds_from_its_instant_until_it_is_lifted() -> None:
    placed = {"hold": "o1", "effective_at": "2025-03-03T00:00:00Z"}
    log = start().then("hold-placed", "court-n", body=placed)
    log.then("hold-lifted", "court-n", body={"hold": "o1", "effective_at": "2025-03-05T00:00:00Z"})
    state = state_of(log)
    for instant, held in [("2025-03-02 23:59", 0), ("2025-03-03 00:00", 1), ("2025-03-05 00:00", 0)]:
        assert len(state.holds_at(utc(instant))) == held
    assert state_of(log.correct(4)).holds_at(utc("2025-03-05 00:00"))


def test_bases_live_on_their_dates() -> None:
    body = {"basis": "b1", "valid_from": "2025-03-01", "must_end_by": "2025-03-31"}
    state = state_of(start().then("custody-basis-recorded", "court-n", body=body))
    assert [len(state.live_bases(date(2025, 3, day))) for day in (1, 31)] == [1, 1]
    assert not state.live_bases(date(2025, 4, 1))
    assert not state.live_bases(date(2025, 2, 28))


def test_a_replaced_offer_is_read_as_its_replacement_says_and_never_as_it_was() -> None:
    log = start().request(responsibility_after="receiving").approve("receiving").approve("court", "court-n")
    log.offer().accept().correct(6, "incorrect-data", replacement=9)
    receiving = {"authority": "south", "facility": "s-1"}
    log.then("handover-offered", body={"handover": "h2", "receiving": receiving})
    state = state_of(log)
    assert (state.responsible.value, state.custodian.value) == ("north", "south")
    assert list(state.offers) == ["h2"]
