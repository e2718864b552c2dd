"""The invoices: what each bills and why, who approved it, what was paid, and what is open.

What was issued never changes. State and open amount are made on read from the approvals and payments that count at
the instant and the knowledge asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, cast

import msgspec

from domain.events.agreement import PaymentReceived
from domain.events.event import Event
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued, InvoiceLineIssued
from projections.engine.asking import Answer, Item, Page, Reader, When
from projections.engine.instants import kept
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.parties import money, parties_of_period
from projections.standing import text

DOCUMENTS: Final = Table(
    name="invoices_documents",
    columns=(
        "number",
        "kind",
        "agreement",
        "payee",
        "payer",
        "period_from",
        "period_to",
        "issue_date",
        "due_date",
        "currency",
        "total",
        "agreed_by",
        "position",
        "occurred_at",
    ),
    key=("number",),
    integers=("total", "agreed_by", "position"),
    refs=("position", "agreed_by"),
)
LINES: Final = Table(
    name="invoices_lines",
    columns=(
        "number",
        "line",
        "kind",
        "quantity",
        "unit",
        "rate",
        "per",
        "amount",
        "currency",
        "claims",
        "basis",
        "rules",
        "position",
    ),
    key=("number", "line"),
    integers=("line", "quantity", "per", "amount", "position"),
    refs=("position",),
)
CLAIMS: Final = Table(
    name="invoices_claims",
    columns=("number", "claim", "person", "case_ref", "facility", "ranges", "days", "basis", "position"),
    key=("number", "claim"),
    integers=("claim", "days", "position"),
    refs=("position",),
)
APPROVALS: Final = Table(
    name="invoices_approvals",
    columns=("position", "number", "officer", "payable", "currency", "occurred_at"),
    key=("position",),
    integers=("position", "payable"),
    indexes=(("number",),),
    refs=("position",),
)
PAYMENTS: Final = Table(
    name="invoices_payments",
    columns=("position", "number", "payment", "amount", "currency", "external_ref", "value_date"),
    key=("position",),
    integers=("position", "amount"),
    indexes=(("number",),),
    refs=("position",),
)
OFFICERS_MIN: Final = 2


def apply(batch: Batch, rows: Rows) -> None:
    """Write what was issued, approved and paid."""
    written: dict[str, list[Row]] = {}
    for event in batch.events:
        if event.stream.startswith("invoice:"):
            for table, row in _rows(event, batch):
                written.setdefault(table.name, []).append(row)
    for table in VIEW.tables:
        rows.insert(table, written.get(table.name, []))


def _rows(event: Event, batch: Batch) -> Iterable[tuple[Table, Row]]:
    number = event.stream.rpartition(":")[2]
    match event.body:
        case InvoiceIssued() as body:
            yield DOCUMENTS, _document(event, body, batch)
        case InvoiceLineIssued() as body:
            claims, basis, rules = text(body.claims), text(body.basis), text(body.rules)
            priced = (body.quantity, body.unit, body.rate, body.per, body.amount.minor, body.amount.currency)
            yield LINES, (number, body.line, body.kind, *priced, claims, basis, rules, event.position)
        case CustodyDaysBilled() as body:
            days = (text(body.ranges), body.days, text(body.basis), event.position)
            yield CLAIMS, (number, body.claim, body.person, body.case_ref, body.facility, *days)
        case InvoiceApproved(payable=payable):
            amount = (payable.minor, payable.currency)
            yield APPROVALS, (event.position, number, event.actor.officer, *amount, kept(event.occurred_at))
        case PaymentReceived(amount=paid) as body:
            amount = (paid.minor, paid.currency)
            value_date = body.value_date.isoformat()
            yield PAYMENTS, (event.position, number, body.payment, *amount, body.external_ref, value_date)
        case _:
            return


def _document(event: Event, body: InvoiceIssued, batch: Batch) -> Row:
    sides = parties_of_period(batch.register, body.agreement, body.period, event.position)
    return (
        body.number,
        body.kind,
        body.agreement,
        event.actor.authority,
        sides.payer,
        body.period.from_.isoformat(),
        body.period.to.isoformat(),
        body.issue_date.isoformat(),
        body.due_date.isoformat(),
        body.total.currency,
        body.total.minor,
        sides.agreed_by,
        event.position,
        kept(event.occurred_at),
    )


VIEW: Final = View(
    name="invoices", version=1, tables=(DOCUMENTS, LINES, CLAIMS, APPROVALS, PAYMENTS), apply=apply, folds=True
)
FILTERS: Final = ("agreement", "payee", "payer", "kind")


def invoices(
    views: Views,
    when: When,
    *,
    limit: int = 100,
    after: str | None = None,
    status: str | None = None,
    **filters: str | None,
) -> Answer[Page]:
    """The invoices by number; `filters` are columns of `FILTERS`."""
    assert filters.keys() <= set(FILTERS), "a filter is a column"
    wanted = {f"{column} = ?": value for column, value in filters.items() if value is not None}

    def question(reader: Reader) -> Page:
        items = [
            item
            for item in _summaries(reader, ["number > ?", *wanted], [after or "", *wanted.values()])
            if status in (None, item["status"])
        ]
        some = items[:limit]
        return Page(items=some, next=some[-1]["number"] if len(items) > limit else None)

    return views.ask(VIEW.name, when, question)


def invoice(views: Views, when: When, number: str) -> Answer[Item | None]:
    """One invoice with its lines, claims and payments; `None` where it is not known, or not issued yet."""

    def question(reader: Reader) -> Item | None:
        for item in _summaries(reader, ["number = ?"], [number]):
            return {
                **item,
                "lines": [_line(row) for row in _of(reader, LINES, number, "line")],
                "claims": [_claim(row) for row in _of(reader, CLAIMS, number, "claim")],
                "payments": [_payment(row) for row in _counting(reader, PAYMENTS, number)],
            }
        return None

    return views.ask(VIEW.name, when, question)


def explanation(views: Views, when: When, number: str, line: int) -> Answer[Item | None]:
    """Why a line says what it says: its arithmetic, its days, and the positions that earn and price them."""

    def question(reader: Reader) -> Item | None:
        for item in _summaries(reader, ["number = ?"], [number]):
            lines = {row["line"]: row for row in map(_line, _of(reader, LINES, number, "line"))}
            claims = [_claim(row) for row in _of(reader, CLAIMS, number, "claim")]
            return _explained(item, lines[line], claims) if line in lines else None
        return None

    return views.ask(VIEW.name, when, question)


def _explained(document: Item, line: Item, claims: Sequence[Item]) -> Item:
    per = "" if line["per"] == 1 else f" / {line['per']}"
    amount = cast("dict[str, str]", line["amount"])
    cited = cast("list[int]", line["claims"])
    return {
        "number": document["number"],
        "line": line["line"],
        "amount": amount,
        "arithmetic": f"{line['quantity']} x {line['rate']}{per} = {amount['amount']}",
        "rules": {"agreement": document["agreement"], **cast("dict[str, object]", line["rules"])},
        "rate": {"rate": line["rate"], "per": line["per"], "agreed_by": document["agreed_by"]},
        "days": [
            {
                **period,
                "count": _dates(period),
                "facility": claim["facility"],
                "person": claim["person"],
                "case_ref": claim["case_ref"],
                "basis": claim["basis"],
            }
            for claim in claims
            if claim["claim"] in cited
            for period in cast("list[Item]", claim["ranges"])
        ],
        "basis": line["basis"],
        "issued_at_position": document["position"],
    }


def _dates(period: Item) -> int:
    """How many dates lie in a range, both ends included."""
    return (date.fromisoformat(str(period["to"])) - date.fromisoformat(str(period["from"]))).days + 1


def _summaries(reader: Reader, conditions: Sequence[str], parameters: Sequence[Value]) -> Iterable[Item]:
    where = " AND ".join([*conditions, "position <= ?"])
    sql = f"SELECT {', '.join(DOCUMENTS.columns)} FROM {{invoices_documents}} WHERE {where} ORDER BY number"
    for row in reader.select(sql, *parameters, reader.known_at):
        document = dict(zip(DOCUMENTS.columns, row, strict=True))
        if reader.when.as_of is not None and str(document["occurred_at"]) > reader.as_of:
            continue
        yield _summary(document, reader)


def _summary(document: dict[str, Value], reader: Reader) -> Item:
    number, currency = str(document["number"]), str(document["currency"])
    approvals = _counting(reader, APPROVALS, number)
    payments = _counting(reader, PAYMENTS, number)
    total = cast("int", document["total"])
    paid = sum(cast("int", payment["amount"]) for payment in payments)
    return {
        "number": number,
        "kind": document["kind"],
        "agreement": document["agreement"],
        "payee": document["payee"],
        "payer": document["payer"],
        "period": {"from": document["period_from"], "to": document["period_to"]},
        "issue_date": document["issue_date"],
        "due_date": document["due_date"],
        "total": money(total, currency),
        "paid": money(paid, currency),
        "open": money(total - paid, currency),
        "status": _status(total, paid, {str(approval["officer"]) for approval in approvals}),
        "approvals": [
            {
                "officer": approval["officer"],
                "payable": money(cast("int", approval["payable"]), currency),
                "position": approval["position"],
            }
            for approval in approvals
        ],
        "agreed_by": document["agreed_by"],
        "position": document["position"],
    }


def _status(total: int, paid: int, officers: set[str]) -> str:
    """The first that fits (MONEY §5)."""
    if total == paid:
        return "settled"
    if paid:
        return "part-paid"
    return "approved" if len(officers) >= OFFICERS_MIN else "issued"


def _of(reader: Reader, table: Table, number: str, order: str) -> list[dict[str, Value]]:
    sql = f"SELECT {', '.join(table.columns)} FROM {{{table.name}}} WHERE number = ? ORDER BY {order}"
    return [dict(zip(table.columns, row, strict=True)) for row in reader.select(sql, number)]


def _counting(reader: Reader, table: Table, number: str) -> list[dict[str, Value]]:
    """The approvals or payments known and, where an instant is asked about, made by then."""
    rows = [row for row in _of(reader, table, number, "position") if cast("int", row["position"]) <= reader.known_at]
    if reader.when.as_of is None:
        return rows
    by, until = ("value_date", reader.as_of[:10]) if table is PAYMENTS else ("occurred_at", reader.as_of)
    return [row for row in rows if str(row[by]) <= until]


def _line(row: dict[str, Value]) -> Item:
    currency = str(row["currency"])
    shown = {column: value for column, value in row.items() if column not in ("number", "currency")}
    decoded = {column: msgspec.json.decode(str(row[column])) for column in ("claims", "basis", "rules")}
    return {**shown, "amount": money(cast("int", row["amount"]), currency), **decoded}


def _claim(row: dict[str, Value]) -> Item:
    shown = {column: value for column, value in row.items() if column != "number"}
    return {**shown, **{column: msgspec.json.decode(str(row[column])) for column in ("ranges", "basis")}}


def _payment(row: dict[str, Value]) -> Item:
    shown = {column: value for column, value in row.items() if column not in ("number", "currency")}
    return {**shown, "amount": money(cast("int", row["amount"]), str(row["currency"]))}
