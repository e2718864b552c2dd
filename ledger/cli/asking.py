"""How each view is asked from the command line, and what its answer is told as.

Ids that the register does not have are refused: an empty list would be the wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from ledger.cli.exits import usage

if TYPE_CHECKING:
    from domain.refusals import Refusal
    from ledger.cli.opening import Ledger
    from projections import Answer, Page, When

Row = dict[str, object]
Filters = Mapping[str, Any]
"""Each filter's value is of the type its reader gives."""

ROWS_PER_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a view answered: a document for `--json`, and the rows (or the fields of one thing) for a table."""

    document: Row
    rows: Sequence[Row] = ()
    fields: Row = field(default_factory=dict)


def _list(items: Sequence[Row], answer: Answer[Any], *, more: bool = False, **beside: object) -> Told:
    document = {**beside, "items": items, "as_of": answer.as_of, "position": answer.position, "more": more}
    return Told(document=document, rows=items)


def _cut(items: Sequence[Row], answer: Answer[Any], limit: int | None) -> Told:
    return _list(items[:limit], answer, more=limit is not None and limit < len(items))


def _pages(when: When, limit: int | None, page: Callable[[When, Any, int], Answer[Page]]) -> Told:
    """Page after page, up to `limit` rows; the further ones speak for the knowledge of the first."""
    first = answer = page(when, None, _size(limit, 0))
    items = list(first.value.items)
    while answer.value.next is not None and (limit is None or len(items) < limit):
        answer = page(replace(when, known_at=first.position), answer.value.next, _size(limit, len(items)))
        items += answer.value.items
    return _list(items, first, more=answer.value.next is not None)


def _size(limit: int | None, have: int) -> int:
    return ROWS_PER_PAGE if limit is None else min(limit - have, ROWS_PER_PAGE)


def _require_known(ledger: Ledger, when: When, **ids: str | None) -> None:
    """Refuse an id that is in no register; each is given by its kind, or as `KIND_what`."""
    from domain import refusals as no

    unknown: dict[str, Callable[[str], Refusal]] = {
        "authority": no.AuthorityIsUnknown,
        "facility": no.FacilityIsUnknown,
        "agreement": no.AgreementIsUnknown,
    }
    given = {name: id_ for name, id_ in ids.items() if id_ is not None}
    if not given:
        return
    register = ledger.views.register(when).value
    for name, id_ in given.items():
        kind = name.partition("_")[0]
        if not register.knows(kind, id_):
            raise unknown[kind](id_)


def ask_people(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """Everybody in the register."""
    from projections import people

    kind, _, place = filters.get("at", "").partition(":")
    _require_known(
        ledger,
        when,
        authority_custodian=filters.get("custodian"),
        authority_responsible=filters.get("responsible"),
        agreement=filters.get("agreement"),
        facility=place if kind == "facility" else None,
    )
    return _pages(when, limit, lambda at, after, n: people.people(ledger.views, at, limit=n, after=after, **filters))


def ask_custody(ledger: Ledger, when: When, filters: Filters, _limit: int | None) -> Told:
    """One person's custody; raises `PersonIsUnknown`."""
    from domain.refusals import PersonIsUnknown
    from projections import current_custody

    answer = current_custody.custody(ledger.views, when, filters["person"])
    if answer.value is None:
        raise PersonIsUnknown(filters["person"])
    document = {**answer.value, "as_of": answer.as_of, "position": answer.position}
    return Told(document=document, fields={name: _state(value) for name, value in document.items()})


def _state(value: object) -> object:
    match value:
        case {"value": inner, "since": since, "ref": ref}:
            return f"{inner if inner is not None else 'none'} since {since} (position {ref})"
        case _:
            return value


def ask_timeline(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """One person's spells and gaps; raises `PersonIsUnknown`."""
    from domain.refusals import PersonIsUnknown
    from projections import custody_timeline

    from_, to = filters.get("from"), filters.get("to")
    _require_order(from_, to)
    answer = custody_timeline.timeline(
        ledger.views, when, filters["person"], status=filters.get("status"), from_=from_, to=to
    )
    if answer.value is None:
        raise PersonIsUnknown(filters["person"])
    return _cut(answer.value, answer, limit)


def ask_roll(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """Who is in a place; raises `FacilityIsUnknown`."""
    from domain.refusals import FacilityIsUnknown
    from projections import roll

    custodian, agreement = filters.get("custodian"), filters.get("agreement")
    _require_known(ledger, when, authority=custodian, agreement=agreement)
    facility = filters["facility"]
    answer = roll.roll(ledger.views, when, facility, custodian=custodian, agreement=agreement, limit=limit)
    if answer.value is None:
        raise FacilityIsUnknown(facility)
    return _list(answer.value.items, answer, more=answer.value.next is not None)


def ask_occupancy(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """A place day by day, today where no date is given; raises `FacilityIsUnknown`."""
    from domain.refusals import FacilityIsUnknown
    from projections import occupancy

    facility = filters["facility"]
    today = occupancy.today(ledger.views, when, facility).value
    if today is None:
        raise FacilityIsUnknown(facility)
    to: date = filters.get("to") or max(today, filters.get("from") or today)
    from_: date = filters.get("from") or to
    _require_order(from_, to)
    if to - from_ >= timedelta(days=occupancy.DAYS_MAX):
        raise usage("--from and --to are too far apart", why=f"at most {occupancy.DAYS_MAX} dates are answered")
    answer = occupancy.occupancy(ledger.views, when, facility, from_, to)
    return _cut(answer.value or [], answer, limit)


def ask_balances(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """Who owes whom, and that each currency's postings sum to nothing."""
    from projections import balances

    _require_known(
        ledger,
        when,
        authority_creditor=filters.get("creditor"),
        authority_debtor=filters.get("debtor"),
        agreement=filters.get("agreement"),
    )
    answer = balances.balances(ledger.views, when, **filters)
    found: Any = answer.value
    items = found["items"][:limit]
    return _list(items, answer, more=len(items) < len(found["items"]), sums=found["sums"])


def ask_statements(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """One account's statements, one a currency."""
    from projections import balances

    book, account = filters["book"], filters["account"]
    if account not in balances.ACCOUNTS:
        raise usage(f"there is no account {account}", next_=f"use one of: {', '.join(sorted(balances.ACCOUNTS))}")
    _require_order(filters.get("from"), filters.get("to"))
    _require_known(
        ledger,
        when,
        authority_book=book,
        authority_counterparty=filters.get("counterparty"),
        agreement=filters.get("agreement"),
    )
    answer = balances.statement(
        ledger.views,
        when,
        book,
        account,
        currency=filters.get("currency"),
        agreement=filters.get("agreement"),
        counterparty=filters.get("counterparty"),
        first=filters.get("from"),
        last=filters.get("to"),
    )
    found: Any = answer.value or {"book": book, "account": account, "statements": []}
    rows = [row for one in found["statements"] for row in _statement_rows(one)][:limit]
    return Told(document={**found, "as_of": answer.as_of, "position": answer.position}, rows=rows)


def _statement_rows(statement: Mapping[str, Any]) -> list[Row]:
    """A statement as lines: what it opens with, its rows, what it closes with, and what is not in it yet."""
    pending = [
        {"description": f"pending: {row['kind']} {row.get('number') or ''}".rstrip(), "in": row["amount"], **row}
        for row in statement["pending"]
    ]
    opening = {"description": "opening balance", "balance": statement["opening"]}
    closing = {"description": "closing balance", "balance": statement["closing"]}
    return [opening, *statement["rows"], closing, *pending]


def ask_invoices(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """The invoices, by number."""
    from projections import invoices

    _require_known(
        ledger,
        when,
        authority_payee=filters.get("payee"),
        authority_payer=filters.get("payer"),
        agreement=filters.get("agreement"),
    )
    return _pages(
        when, limit, lambda at, after, n: invoices.invoices(ledger.views, at, limit=n, after=after, **filters)
    )


def ask_trail(ledger: Ledger, when: When, filters: Filters, limit: int | None) -> Told:
    """The record in sentences, by position."""
    from domain.events import BODIES
    from projections import audit_trail

    type_ = filters.get("type")
    if type_ is not None and type_ not in BODIES:
        raise usage(f"there is no event type {type_}", next_=f"use one of: {', '.join(sorted(BODIES))}")
    first, last = filters.get("from"), filters.get("to")
    recorded_from, recorded_to = filters.get("recorded-from"), filters.get("recorded-to")
    _require_order(first, last)
    _require_order(recorded_from, recorded_to)
    _require_known(ledger, when, authority=filters.get("authority"))
    _require_told_of(ledger, when, filters)
    return _pages(
        when,
        limit,
        lambda at, after, n: audit_trail.trail(
            ledger.views,
            at,
            limit=n,
            after=after or 0,
            person=filters.get("person"),
            transfer=filters.get("transfer"),
            authority=filters.get("authority"),
            type=type_,
            first=first,
            last=last,
            recorded_from=recorded_from,
            recorded_to=recorded_to,
        ),
    )


def _require_told_of(ledger: Ledger, when: When, filters: Filters) -> None:
    """Refuse a person or a transfer of whom the whole trail says nothing."""
    from domain import refusals as no
    from projections import audit_trail

    unknown: dict[str, Callable[[str], Refusal]] = {"person": no.PersonIsUnknown, "transfer": no.TransferIsUnknown}
    for name in unknown.keys() & filters.keys():
        if not audit_trail.trail(ledger.views, when, limit=1, **{name: filters[name]}).value.items:
            raise unknown[name](filters[name])


def _require_order(first: Any, last: Any) -> None:
    if first is not None and last is not None and last < first:
        raise usage("--to lies before --from")
