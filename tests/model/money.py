"""Money acts: what each may be refused for, what it records, and what it makes of the accounts (MONEY §10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from tests.model import bills, fee_days
from tests.model.accounts import Closing, Invoice, Schedule
from tests.model.answers import Answered, Json
from tests.model.asked import Call, Codes
from tests.model.world import ONE_DAY, Revision, World, zone

NO_FEES = "none"


# Schedules.


def propose(call: Call) -> Codes:
    world, data, by = call.world, call.data, call.by
    asked = Schedule(data["agreement"], data, by, "", 0)
    revisions = world.agreements[data["agreement"]]
    revision = revisions[max(revisions)]
    payee, payer = (world.authorities[data[side]] for side in ("payee", "payer"))
    if (data["agreement"], data["schedule"]) in world.money.schedules:
        yield "schedule-is-already-proposed"
    states = {world.authorities[side].state for side in (revision.sending, revision.receiving)}
    parties = {
        data[side]
        for side, file in (("payee", payee), ("payer", payer))
        if file.state in states and file.holds(f"treasury-{side}", call.today, data["agreement"])
    }
    if by not in parties or {data["payee"], data["payer"]} - parties:
        yield "actor-is-not-a-party"
    if payee.state == payer.state:
        yield "parties-are-the-same"
    if revision.terms["fees"] == NO_FEES:
        yield "legal-basis-forbids-fees"
    if asked.last < asked.first:
        yield "schedule-ends-before-it-starts"
    if not data["components"]:
        yield "component-is-missing"
    if data["series"] in world.money.series:
        yield "series-is-taken"
    if any(row["rate"].startswith("-") for component in data["components"] for row in component["rates"]):
        yield "rate-is-negative"
    if any(world.facilities[facility].state != payee.state for facility in data["facilities"]):
        yield "facility-is-not-the-payees"
    yield from _priced_already(world, asked)
    closed = [first for agreement, first in world.money.closed if agreement == asked.agreement]
    if any(_overlap(asked, first, _end(first)) for first in closed):
        yield "period-is-closed"


def _overlap(schedule: Schedule, first: date, last: date) -> bool:
    return schedule.first <= last and first <= schedule.last


def _priced_already(world: World, asked: Schedule) -> Codes:
    """A signed schedule prices one of the places for the payer on one of the dates, or shares a month with this one."""
    for id_, other in world.money.schedules.items():
        if other.signed_at is None or id_ == (asked.agreement, asked.data["schedule"]):
            continue
        shares_a_place = other.payer == asked.payer and set(other.data["facilities"]) & set(asked.data["facilities"])
        shares_a_month = other.agreement == asked.agreement and _overlap(
            other, asked.first.replace(day=1), asked.last if asked.last == date.max else _end(asked.last.replace(day=1))
        )
        if shares_a_month or (shares_a_place and _overlap(other, asked.first, asked.last)):
            yield "facility-is-under-another-schedule"
            return


def sign(call: Call) -> Codes:
    schedule = call.world.money.schedules[call.data["agreement"], call.data["schedule"]]
    if {call.by, schedule.proposer} != {schedule.payee, schedule.payer}:
        yield "actor-is-not-the-other-party"
    if schedule.signed_at is not None:
        yield "schedule-is-already-signed"
    if call.data["proposal_digest"] != schedule.digest:
        yield "proposal-has-changed"
    yield from _priced_already(call.world, schedule)


# Periods.


def _month(call: Call) -> tuple[date, date]:
    return date.fromisoformat(call.data["period"]["from"]), date.fromisoformat(call.data["period"]["to"])


def _end(first: date) -> date:
    """The last date of a month."""
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return following - ONE_DAY


def _billing(call: Call) -> Schedule | None:
    return call.world.money.billing(call.data["agreement"], *_month(call))


def _not_the_payee(call: Call, schedule: Schedule | None) -> Codes:
    """`actor-is-not-the-payee`, of the schedule concerned, else the one signed last, else the latest proposal."""
    money, agreement = call.world.money, call.data["agreement"]
    proposed = [item for item in money.schedules.values() if item.agreement == agreement]
    meant = schedule or _latest(call) or (proposed[-1] if proposed else None)
    if meant is not None and call.by != meant.payee:
        yield "actor-is-not-the-payee"
    if schedule is None:
        yield "schedule-is-not-signed"


def _latest(call: Call) -> Schedule | None:
    signed = call.world.money.signed(call.data["agreement"])
    return max(signed, key=lambda item: item.signed_at or 0, default=None)


def close(call: Call) -> Codes:
    world, (first, last) = call.world, _month(call)
    agreement, schedule = call.data["agreement"], _billing(call)
    yield from _not_the_payee(call, schedule)
    assert schedule is not None, "a claim stops at its first refusal"
    if (agreement, first) in world.money.closed:
        yield "period-is-already-closed"
    if any((agreement, month) not in world.money.closed for month in _earned_before(call, first)):
        yield "an-earlier-period-is-open"
    waits = last + schedule.data["billing"]["close_after_days"] * ONE_DAY
    if any(call.now < world.facilities[place].start(waits + ONE_DAY) for place in schedule.data["facilities"]):
        yield "period-is-open"


def _earned_before(call: Call, first: date) -> Iterator[date]:
    """The first dates of the months before with days earned in them."""
    for schedule in call.world.money.signed(call.data["agreement"]):
        days = fee_days.earned(call.world, schedule, schedule.first, first - ONE_DAY, call.now)
        yield from {day.date.replace(day=1) for day in days}


# Invoices and payments.


def issue(call: Call) -> Codes:
    money, (first, _) = call.world.money, _month(call)
    agreement, schedule = call.data["agreement"], _billing(call)
    yield from _not_the_payee(call, schedule)
    assert schedule is not None, "a claim stops at its first refusal"
    closing = money.closed.get((agreement, first))
    if closing is None:
        yield "period-is-open"
        return
    if any(invoice.first == first for invoice in money.of(agreement)):
        yield "invoice-is-already-issued"
    if "preview_digest" in call.data:
        # Nobody of the load was ever shown one.
        yield "preview-is-stale"
    if not all(schedule.has_rate_on(day.date) for day in closing.days):
        yield "day-has-no-rate"
    if any(day.date in call.world.people[day.person].billed for day in closing.days):
        yield "day-is-already-billed"
    if not closing.days:
        yield "there-is-nothing-to-bill"


def approve(call: Call) -> Codes:
    invoice = call.world.money.invoices[call.data["number"]]
    if call.by != invoice.schedule.payer:
        yield "actor-is-not-the-payer"
    if invoice.open == 0:
        yield "invoice-is-settled"
    if _amount(call.data["payable"]) != (invoice.open, invoice.schedule.data["currency"]):
        yield "amount-has-changed"
    if call.officer in invoice.approved_by:
        yield "second-approver-is-the-first"


def _amount(given: Mapping[str, str]) -> tuple[int, str]:
    return bills.minor(given), given["currency"]


def pay(call: Call) -> Codes:
    money, data = call.world.money, call.data
    parts = {part["invoice"]: part["amount"] for part in data["allocations"]}
    invoices = {number: money.invoices[number] for number in parts}
    if any(invoice.schedule.agreement != data["agreement"] for invoice in invoices.values()):
        yield "invoice-is-unknown"
    schedules = [invoice.schedule for invoice in invoices.values()]
    if not invoices and (latest := _latest(call)) is not None:
        schedules = [latest]
    for schedule in schedules or (None,):
        yield from _not_the_payee(call, schedule)
    currencies = {schedule.data["currency"] for schedule in schedules}
    named = {amount["currency"] for amount in (data["amount"], *parts.values())}
    if len(currencies | named) > 1:
        yield "currency-does-not-match"
    if any(bills.minor(amount) <= 0 for amount in (data["amount"], *parts.values())):
        yield "amount-is-not-positive"
    if data["payment"] in money.payments:
        yield "payment-is-already-recorded"
    if sum(map(bills.minor, parts.values())) > bills.minor(data["amount"]):
        yield "allocations-exceed-the-amount"
    if not all(invoice.is_approved for invoice in invoices.values()):
        yield "invoice-is-not-approved"
    if any(bills.minor(parts[number]) > invoice.open for number, invoice in invoices.items()):
        yield "amount-is-above-the-payable"


# What is recorded.

Events = Iterable[tuple[str, str, tuple[str, ...]]]


def _issued(call: Call) -> Events:
    schedule, closing = _billing(call), _closing(call)
    assert schedule is not None, "refused before"
    stream = f"invoice:{schedule.payee}:{next_number(call.world, schedule)}"
    yield "invoice-issued", stream, ()
    for _ in bills.claims(closing.days):
        yield "custody-days-billed", stream, ()
    for _ in bills.lines(closing.days):
        yield "invoice-line-issued", stream, ()


def _approving(call: Call) -> Events:
    yield "invoice-approved", call.world.money.invoices[call.data["number"]].stream, ()


def _paying(call: Call) -> Events:
    money, data = call.world.money, call.data
    for part in data["allocations"]:
        yield "payment-received", money.invoices[part["invoice"]].stream, ()
    if _rest(data):
        payable = any(invoice.is_approved and invoice.open for invoice in money.of(data["agreement"]))
        yield "payment-received", f"agreement:{data['agreement']}", () if payable else ("unapproved-payment",)


def _rest(data: Mapping[str, Any]) -> int:
    return bills.minor(data["amount"]) - sum(bills.minor(part["amount"]) for part in data["allocations"])


def next_number(world: World, schedule: Schedule) -> str:
    """The next number of the schedule's series, which has no gap."""
    issued = sum(invoice.schedule is schedule for invoice in world.money.invoices.values())
    return f"{schedule.data['series']}-{issued + 1:04}"


def _closing(call: Call) -> Closing:
    return call.world.money.closed[call.data["agreement"], _month(call)[0]]


RECORDS: dict[str, Callable[[Call], Events]] = {
    "issue-invoice": _issued,
    "approve-invoice": _approving,
    "record-payment": _paying,
}
"""The events of each act whose events depend on the accounts, with their flags."""


# What the events say.


def bodies(call: Call, name: str) -> list[Json]:
    """What the events of a granted act say, in order, as far as it follows from the rules; none for no money."""
    match name:
        case "close-period":
            schedule = _billing(call)
            assert schedule is not None, "refused before"
            return [bills.closing_body(schedule, _days(call, schedule), call.data["period"])]
        case "issue-invoice":
            schedule = _billing(call)
            assert schedule is not None, "refused before"
            number, on = next_number(call.world, schedule), _issue_date(call, schedule)
            return [*bills.invoice_bodies(call.world, schedule, _closing(call), number, call.data["period"], on)]
        case "record-payment":
            parts = [bills.minor(part["amount"]) for part in call.data["allocations"]]
            rest = [_rest(call.data)] if _rest(call.data) else []
            amounts = [{"minor": amount, "currency": call.data["amount"]["currency"]} for amount in (*parts, *rest)]
            return [{"payment": call.data["payment"], "amount": amount} for amount in amounts]
        case _:
            return []


def told(call: Call, name: str) -> dict[str, str]:
    """What the answer tells beside its events."""
    match name:
        case "draft-agreement":
            return {"terms_digest": bills.digest(call.data["terms"])}
        case "propose-fee-schedule":
            return {"proposal_digest": proposal_digest(call.data)}
        case "issue-invoice":
            schedule = _billing(call)
            assert schedule is not None, "refused before"
            return {"number": next_number(call.world, schedule)}
        case _:
            return {}


def proposal_digest(data: Mapping[str, Any]) -> str:
    """The digest of a proposal as sent."""
    return bills.digest({name: value for name, value in data.items() if name != "occurred_at"})


def _days(call: Call, schedule: Schedule) -> list[Any]:
    return fee_days.earned(call.world, schedule, *_month(call), call.now)


def _issue_date(call: Call, schedule: Schedule) -> date:
    """The date of the command in the payer's zone."""
    revision = _signed_revision(call.world, schedule.agreement)
    states = {side: call.world.authorities[getattr(revision, side)].state for side in ("sending", "receiving")}
    payer = call.world.authorities[schedule.payer].state
    side = "sending" if states["sending"] == payer else "receiving"
    return call.at.astimezone(zone(revision.terms["zones"][side])).date()


def _signed_revision(world: World, agreement: str) -> Revision:
    revisions = world.agreements[agreement].values()
    signed = [revision for revision in revisions if revision.signed >= {revision.sending, revision.receiving}]
    return (signed or list(revisions))[-1]


def is_told_rightly(world: World, refused: Answered) -> bool:
    """Whether a refusal that says what is payable says it rightly."""
    if refused.code != "amount-has-changed" or "payable" not in refused.document:
        return True
    invoice = world.money.invoices[refused.data["number"]]
    return _amount(refused.document["payable"]) == (invoice.open, invoice.schedule.data["currency"])


# What it makes of the accounts.


def _proposed(call: Call, answered: Answered) -> None:
    data, money = call.data, call.world.money
    schedule = Schedule(data["agreement"], data, call.by, proposal_digest(data), answered.events[0].position)
    money.schedules[data["agreement"], data["schedule"]] = schedule
    money.series.add(data["series"])


def _signed(call: Call, answered: Answered) -> None:
    schedule = call.world.money.schedules[call.data["agreement"], call.data["schedule"]]
    schedule.signed_at = answered.events[0].position


def _closed(call: Call, answered: Answered) -> None:
    schedule, event = _billing(call), answered.events[0]
    if schedule is not None:
        closing = Closing(event.position, event.stream_version, _days(call, schedule))
        call.world.money.closed[call.data["agreement"], _month(call)[0]] = closing


def _bill(call: Call, answered: Answered) -> None:
    schedule, closing = _billing(call), _closing(call)
    assert schedule is not None, "refused before"
    number, total = next_number(call.world, schedule), bills.total(schedule, closing)
    call.world.money.invoices[number] = Invoice(number, schedule, _month(call)[0], total, total)
    for day in closing.days:
        call.world.people[day.person].billed.add(day.date)


def _approved(call: Call, _answered: Answered) -> None:
    call.world.money.invoices[call.data["number"]].approved_by.add(call.officer)


def _paid(call: Call, _answered: Answered) -> None:
    call.world.money.payments.add(call.data["payment"])
    for part in call.data["allocations"]:
        call.world.money.invoices[part["invoice"]].open -= bills.minor(part["amount"])


CHANGES: dict[str, Callable[[Call, Answered], None]] = {
    "propose-fee-schedule": _proposed,
    "sign-fee-schedule": _signed,
    "close-period": _closed,
    "issue-invoice": _bill,
    "approve-invoice": _approved,
    "record-payment": _paid,
}
