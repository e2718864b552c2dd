"""What an invoice must say: the days of each person at each place, the lines that price them, and the amounts.

Amounts are exact fractions of a minor unit until they are rounded, where and which way the schedule says (MONEY §2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple

from tests.model.accounts import Closing, Day, Schedule
from tests.model.answers import Json
from tests.model.world import ONE_DAY, World

DECIMALS: Mapping[str, int] = {"JPY": 0, "KWD": 3}
"""Currencies of the load whose minor unit takes another number of decimals than two."""
SATURDAY = 5


class Line(NamedTuple):
    """The days of one fee spell of one person at one place."""

    person: str
    facility: str
    days: tuple[Day, ...]


def minor(amount: Mapping[str, str]) -> int:
    """Minor units of an amount as it comes in."""
    exact = Fraction(amount["amount"]) * scale(amount["currency"])
    assert exact.denominator == 1, "the load names no smaller part"
    return exact.numerator


def scale(currency: str) -> int:
    """How many minor units one of a currency is."""
    return int(10 ** DECIMALS.get(currency, 2))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of a value (RFC 8785, for texts of ASCII and whole numbers)."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def rounded(exact: Fraction, mode: str) -> int:
    """A whole number for an amount that is not negative."""
    whole, rest = divmod(exact, 1)
    is_half = rest == Fraction(1, 2)
    goes_up = rest > Fraction(1, 2) or (is_half and (mode == "half-up" or whole % 2 == 1))
    return int(whole) + (mode != "down" and goes_up)


def lines(days: Sequence[Day]) -> list[Line]:
    """The lines of a bill, by person, then in the order in which their first days come."""
    groups: dict[tuple[str, datetime, str], list[Day]] = {}
    for day in days:
        groups.setdefault((day.person, day.came, day.facility), []).append(day)
    return [Line(person, facility, tuple(group)) for (person, _, facility), group in groups.items()]


def amounts(schedule: Schedule, found: Sequence[Line]) -> list[int]:
    """Minor units of each line."""
    rounding = schedule.data.get("rounding", {})
    mode, place = rounding.get("mode", "half-up"), rounding.get("place", "line-amount")
    rate = schedule.data["components"][0]["rates"][0]
    price = Fraction(rate["rate"]) * scale(schedule.data["currency"]) / rate["per"]
    if place == "rate-first":
        return [rounded(price, mode) * len(line.days) for line in found]
    exact = [price * len(line.days) for line in found]
    if place == "line-amount":
        return [rounded(amount, mode) for amount in exact]
    # The total is rounded once, and its lines share it: whole units first, those left to the largest remainders.
    total = rounded(sum(exact, Fraction(0)), mode)
    if not any(exact):
        return [0 for _ in exact]
    shares = [total * amount / sum(exact) for amount in exact]
    floors = [share.numerator // share.denominator for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda at: floors[at] - shares[at])
    for at in by_remainder[: total - sum(floors)]:
        floors[at] += 1
    return floors


def total(schedule: Schedule, closing: Closing) -> int:
    """What the invoice of a closed month comes to."""
    return sum(amounts(schedule, lines(closing.days)))


def claims(days: Sequence[Day]) -> list[tuple[str, str, list[Day]]]:
    """The days of each person at each place, in the order of their ids."""
    groups: dict[tuple[str, str], list[Day]] = {}
    for day in days:
        groups.setdefault((day.person, day.facility), []).append(day)
    return [(person, facility, groups[person, facility]) for person, facility in sorted(groups)]


def ranges(days: Sequence[Day]) -> list[Json]:
    """Dates joined into runs."""
    found: list[list[date]] = []
    for day in days:
        if found and found[-1][1] + ONE_DAY == day.date:
            found[-1][1] = day.date
        else:
            found.append([day.date, day.date])
    return [{"from": first.isoformat(), "to": last.isoformat()} for first, last in found]


def basis(days: Sequence[Day]) -> list[int]:
    """The positions that earn some days."""
    return sorted({position for day in days for position in day.positions})


def closing_body(schedule: Schedule, days: Sequence[Day], period: Mapping[str, str]) -> Json:
    """What the closing of a month says."""
    counts = dict.fromkeys(schedule.data["facilities"], 0)
    for day in days:
        counts[day.facility] += 1
    rows = sorted([day.person, day.date.isoformat(), day.facility, list(day.positions)] for day in days)
    return {
        "period": dict(period),
        "facilities": [{"facility": facility, "person_days": count} for facility, count in counts.items()],
        "person_days": len(days),
        "digest": digest(rows),
    }


def due_date(issued_on: date, terms_days: int) -> date:
    """When an invoice is to be paid: on a weekday."""
    due = issued_on + timedelta(days=terms_days)
    while due.weekday() >= SATURDAY:
        due += ONE_DAY
    return due


def invoice_bodies(
    world: World, schedule: Schedule, closing: Closing, number: str, period: Mapping[str, str], issued_on: date
) -> Iterator[Json]:
    """What each event of an invoice says, in order, as far as it follows from the rules."""
    found = lines(closing.days)
    priced, data = amounts(schedule, found), schedule.data
    yield {
        "number": number,
        "series": data["series"],
        "kind": "regular",
        "agreement": schedule.agreement,
        "period": dict(period),
        "issue_date": issued_on.isoformat(),
        "due_date": due_date(issued_on, data["terms_days"]).isoformat(),
        "total": {"minor": sum(priced), "currency": data["currency"]},
        "lines": len(found),
        "closed_at": closing.position,
        "supplements": None,
        "cause": None,
    }
    numbers = {}
    for claim, (person, facility, days) in enumerate(claims(closing.days), start=1):
        numbers[person, facility] = claim
        yield {
            "claim": claim,
            "person": person,
            "facility": facility,
            "ranges": ranges(days),
            "days": len(days),
            "basis": basis(days),
        }
    for at, (line, amount) in enumerate(zip(found, priced, strict=True), start=1):
        yield _line_body(world, schedule, closing, line) | {
            "line": at,
            "claims": [numbers[line.person, line.facility]],
            "amount": {"minor": amount, "currency": data["currency"]},
        }


def _line_body(world: World, schedule: Schedule, closing: Closing, line: Line) -> dict[str, Any]:
    data, rounding = schedule.data, schedule.data.get("rounding", {})
    rate = data["components"][0]["rates"][0]
    signed_at = schedule.signed_at
    assert signed_at is not None, "what bills is signed"
    return {
        "quantity": len(line.days),
        "unit": "DAY",
        "rate": rate["rate"],
        "per": rate["per"],
        "basis": sorted({*basis(line.days), signed_at}),
        "rules": {
            "agreement_version": closing.version,
            "day_rule": data["day_rule"],
            "same_day": data.get("same_day", 1),
            "rounding": f"{rounding.get('mode', 'half-up')}/{rounding.get('place', 'line-amount')}",
            "zone": world.facilities[line.facility].zone,
        },
    }
