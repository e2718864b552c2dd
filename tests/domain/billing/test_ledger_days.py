"""The rows of MONEY §4, to the cent, told by the events of a ledger on both engines and billed by its invoices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.billing.custody_days import Knowledge, custody_days
from domain.events.agreement import CustodyDaysClosed
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued, InvoiceLineIssued
from domain.money import Money
from ledger.store import open_log
from tests.domain.billing.fees import (
    MARCH,
    accepted,
    agreed,
    closed,
    due_on,
    issued,
    moved,
    period,
    priced,
    registered,
    released,
    schedule,
    spell,
)
from tests.scene import DIGEST, E1, E2, EAST, KEEPER, WATCH, Scene, at, registry

SALVADOR = "e-sv"
ROWS = {
    "E1": ("2025-03-01T10:00:00+01:00", None, E1),
    "E2": ("2025-02-20T10:00:00+01:00", "2025-03-01T10:00:00+01:00", E1),
    "E3": ("2025-03-31T10:00:00+02:00", None, E1),
    "E4": ("2025-03-10T09:00:00+01:00", "2025-03-10T17:00:00+01:00", E1),
    "E5": ("2025-03-09T21:00:00+01:00", "2025-03-10T06:00:00+01:00", E1),
    "E6": ("2025-02-27T10:00:00+01:00", "2025-04-02T10:00:00+02:00", E1),
    "E7": ("2025-03-05T10:00:00+01:00", "2025-03-20T10:00:00+01:00", E1),
    "E8": ("2025-03-05T10:00:00+01:00", None, E1),
    "E10": ("2024-02-28T10:00:00+01:00", "2024-03-01T10:00:00+01:00", E1),
    "Z1": ("2025-03-10T03:00:00Z", "2025-03-10T05:59:00Z", SALVADOR),
    "Z2": ("2025-03-10T03:00:00Z", "2025-03-10T06:01:00Z", SALVADOR),
    "due": ("2025-03-05T10:00:00+01:00", "2025-03-20T10:00:00+01:00", E1),
}
"""Case → in, out, place. E8 moves to the second place on 12 March and leaves it on the 20th; `due` is E7, due 03-18."""

EXPECTED = {
    "arrival-not-departure": {
        "2024-02": {"E10": [(E1, 2, 10958)]},
        "2025-02": {"E2": [(E1, 9, 49311)], "E6": [(E1, 2, 10958)]},
        "2025-03": {
            "E1": [(E1, 31, 169849)],
            "E3": [(E1, 1, 5479)],
            "E4": [(E1, 1, 5479)],
            "E5": [(E1, 1, 5479)],
            "E6": [(E1, 31, 169849)],
            "E7": [(E1, 15, 82185)],
            "E8": [(E1, 7, 38353), (E2, 8, 43832)],
            "Z1": [(SALVADOR, 1, 5479)],
            "Z2": [(SALVADOR, 1, 5479)],
            "due": [(E1, 13, 71227)],
        },
    },
    "midnight": {
        "2024-02": {"E10": [(E1, 2, 10958)]},
        "2025-02": {"E2": [(E1, 9, 49311)], "E6": [(E1, 2, 10958)]},
        "2025-03": {
            "E1": [(E1, 31, 169849)],
            "E3": [(E1, 1, 5479)],
            "E5": [(E1, 1, 5479)],
            "E6": [(E1, 31, 169849)],
            "E7": [(E1, 15, 82185)],
            "E8": [(E1, 7, 38353), (E2, 8, 43832)],
            "Z2": [(SALVADOR, 1, 5479)],
            "due": [(E1, 13, 71227)],
        },
    },
    "both-ends": {
        "2024-02": {"E10": [(E1, 2, 10958)]},
        "2025-02": {"E2": [(E1, 9, 49311)], "E6": [(E1, 2, 10958)]},
        "2025-03": {
            "E1": [(E1, 31, 169849)],
            "E2": [(E1, 1, 5479)],
            "E3": [(E1, 1, 5479)],
            "E4": [(E1, 1, 5479)],
            "E5": [(E1, 2, 10958)],
            "E6": [(E1, 31, 169849)],
            "E7": [(E1, 16, 87664)],
            "E8": [(E1, 7, 38353), (E2, 9, 49311)],
            "Z1": [(SALVADOR, 1, 5479)],
            "Z2": [(SALVADOR, 2, 10958)],
            "due": [(E1, 14, 76706)],
        },
    },
}
"""Day rule → month → case → place, days and minor units of each line. `both-ends` puts March 2024 on top of E10."""


@pytest.fixture
def scene(database_url: str) -> Iterator[Scene]:
    log = open_log(database_url, create=True)
    yield registry(Scene(log, now="2025-04-02T10:00:00Z"))
    log.close()


def told(scene: Scene, day_rule: str) -> Scene:
    """Every row happens, each to a person of its own."""
    scene.do(
        KEEPER,
        "register-facility",
        facility=SALVADOR,
        authority=EAST,
        state="SE",
        kind="prison",
        zone="America/El_Salvador",
        recognised_by=DIGEST,
        supervising_authority=WATCH,
    )
    priced(agreed(scene), day_rule=day_rule, facilities=[E1, E2, SALVADOR])
    for case, (came, left, place) in ROWS.items():
        person = f"p-{case.lower()}"
        registered(scene, person)
        if case == "due":
            due_on(scene, person, "2025-03-18")
        accepted(scene, person, came, place=place)
        if case == "E8":
            moved(scene, person, "2025-03-12T10:00:00+01:00")
            released(scene, person, "2025-03-20T10:00:00+01:00", place=E2)
        elif left is not None:
            released(scene, person, left, place=place)
    return scene


def month(name: str) -> dict[str, str]:
    last = {"2024-02": "29", "2024-03": "31", "2025-02": "28", "2025-03": "31"}[name]
    return {"from": f"{name}-01", "to": f"{name}-{last}"}


@pytest.mark.parametrize("day_rule", EXPECTED)
def test_each_row_is_billed_to_the_cent(scene: Scene, day_rule: str) -> None:
    told(scene, day_rule)
    for name, expected in EXPECTED[day_rule].items():
        if name == "2025-02" and day_rule == "both-ends":
            closed(scene, month("2024-03"))
        events = issued(scene, month(name)).events
        bodies = [event.body for event in events]
        claims = {body.claim: body for body in bodies if isinstance(body, CustodyDaysBilled)}
        found: dict[str, list[tuple[str, int, int]]] = {}
        for line in bodies:
            if isinstance(line, InvoiceLineIssued):
                claim = claims[line.claims[0]]
                row = (claim.facility, line.quantity, line.amount.minor)
                found.setdefault(claim.person.removeprefix("p-").upper(), []).append(row)
        assert {case.replace("DUE", "due"): rows for case, rows in found.items()} == expected
        header = bodies[0]
        assert isinstance(header, InvoiceIssued)
        assert header.total == Money(sum(row[2] for rows in expected.values() for row in rows), "USD")


def test_the_days_are_fixed_when_the_month_is_closed(scene: Scene) -> None:
    told(scene, "arrival-not-departure")
    for name in ("2024-02", "2025-02", "2025-03"):
        closed(scene, month(name))
    bodies = [event.body for event in scene.events() if isinstance(event.body, CustodyDaysClosed)]
    counted = [
        (str(body.period.from_)[:7], [(row.facility, row.person_days) for row in body.facilities]) for body in bodies
    ]
    assert counted == [
        ("2024-02", [(E1, 2), (E2, 0), (SALVADOR, 0)]),
        ("2025-02", [(E1, 11), (E2, 0), (SALVADOR, 0)]),
        ("2025-03", [(E1, 100), (E2, 8), (SALVADOR, 2)]),
    ]


S1 = [("arrival-not-departure", 3, "164.37"), ("midnight", 2, "109.58")]


@pytest.mark.parametrize(("day_rule", "days", "amount"), S1)
def test_an_accrual_counts_as_far_as_its_instant_s1(day_rule: str, days: int, amount: str) -> None:
    scene = priced(agreed(registry(Scene(now="2025-05-01T12:00:00Z"))), day_rule=day_rule)
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-20T10:00:00+01:00")
    file = scene.register.person("p-1")
    assert file is not None
    until = Knowledge(as_of=at("2025-03-03T08:00:00+01:00"))
    found = custody_days(file, scene.register, schedule(scene), period(MARCH["from"], MARCH["to"]), until)
    earned = [day for day in found if day.reason is None]
    assert (len(earned), Money(5479 * len(earned), "USD").text) == (days, amount)


def test_thirty_days_are_billed_approved_by_two_and_paid(scene: Scene) -> None:
    priced(agreed(scene), valid={"from": "2025-01-01"})
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00")
    answer = issued(scene, MARCH)
    assert answer.told == {"number": "CTL-0001"}
    payable = {"amount": "1643.70", "currency": "USD"}
    for officer in ("north/n-1", "north/n-2"):
        scene.do(officer, "approve-invoice", number="CTL-0001", payable=payable)
    scene.do(
        EAST,
        "record-payment",
        payment="pay-1",
        agreement="a1",
        amount=payable,
        external_ref="wire 77",
        value_date="2025-04-20",
        allocations=[{"invoice": "CTL-0001", "amount": payable}],
    )
    invoice = scene.register.invoice("CTL-0001")
    assert invoice is not None
    assert (invoice.body.total.text, invoice.open.text) == ("1643.70", "0.00")
    assert (invoice.body.issue_date.isoformat(), invoice.body.due_date.isoformat()) == ("2025-04-02", "2025-05-02")
