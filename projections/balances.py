"""What each authority owes another, from the postings of both books (MONEY §7).

Every posting is kept with its document's date and its position, so that any (`as_of`, `known_at`) is a sum. Debits
equal credits in each currency; currencies are never added. A statement tells one account line by line; what is not
settled yet, such as an invoice that two officers have not approved, stands apart and in no balance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple, cast

from domain.billing.postings import NATURE, Account, Posting, postings
from domain.events.agreement import PaymentReceived
from domain.events.event import Event, stream_id
from domain.events.invoice import InvoiceApproved, InvoiceIssued
from domain.names import AuthorityId
from projections.engine.asking import Answer, Item, Reader, When
from projections.engine.instants import kept
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.parties import money, parties_of_period, parties_on_account
from projections.sentences import sentence

POSTINGS: Final = Table(
    name="balances_postings",
    columns=(
        "position",
        "n",
        "book",
        "counterparty",
        "agreement",
        "account",
        "side",
        "currency",
        "minor",
        "date",
        "invoice",
        "description",
    ),
    key=("position", "n"),
    integers=("position", "n", "minor"),
    indexes=(("book", "account", "date"), ("invoice",)),
    refs=("position",),
)
INVOICES: Final = Table(
    name="balances_invoices",
    columns=("number", "agreement", "payee", "payer", "currency", "due_date", "position"),
    key=("number",),
    integers=("position",),
    refs=("position",),
)
APPROVALS: Final = Table(
    name="balances_approvals",
    columns=("position", "number", "officer", "occurred_at"),
    key=("position",),
    integers=("position",),
    indexes=(("number",),),
    refs=("position",),
)
ACCOUNTS: Final[tuple[Account, ...]] = tuple(NATURE)
AGES: Final = (("0-30", 30), ("31-60", 60), ("61-90", 90))
"""Days past due, and the name of what is due that long; more is `over-90`."""
OVER: Final = "over-90"
OWED: Final = {"receivable": "payee", "payable": "payer"}
"""The accounts that invoices stand on, and on which side of the invoice their book is."""
OFFICERS_MIN: Final = 2


def apply(batch: Batch, rows: Rows) -> None:
    """Write what every event of the money posts in both books."""
    events = [
        event for event in batch.events if isinstance(event.body, (InvoiceIssued, InvoiceApproved, PaymentReceived))
    ]
    if not events:
        return
    issued = [(_invoice(event, event.body, batch)) for event in events if isinstance(event.body, InvoiceIssued)]
    rows.insert(INVOICES, issued)
    known = _known(rows, {_number(event) for event in events if event.stream.startswith("invoice:")})
    rows.insert(POSTINGS, [row for event in events for row in _posted(event, known, batch)])
    rows.insert(
        APPROVALS,
        [
            (event.position, _number(event), event.actor.officer, kept(event.occurred_at))
            for event in events
            if isinstance(event.body, InvoiceApproved)
        ],
    )


def _invoice(event: Event, body: InvoiceIssued, batch: Batch) -> Row:
    sides = parties_of_period(batch.register, body.agreement, body.period, event.position)
    payee = event.actor.authority
    return (
        body.number, body.agreement, payee, sides.payer, body.total.currency, body.due_date.isoformat(), event.position,
    )  # fmt: skip


class _Invoice(NamedTuple):
    agreement: str
    payee: AuthorityId
    payer: AuthorityId


def _known(rows: Rows, numbers: Iterable[str]) -> dict[str, _Invoice]:
    sql = "SELECT number, agreement, payee, payer FROM {balances_invoices} WHERE number IN ({marks})"
    return {
        str(number): _Invoice(str(agreement), AuthorityId(str(payee)), AuthorityId(str(payer)))
        for number, agreement, payee, payer in rows.select_among(sql, sorted(numbers))
    }


def _posted(event: Event, known: dict[str, _Invoice], batch: Batch) -> Iterable[Row]:
    number = _number(event) if event.stream.startswith("invoice:") else None
    if number is not None:
        agreement, payee, payer = known[number]
    else:
        agreement = stream_id(event.stream)
        payee, payer, _ = parties_on_account(batch.register, agreement, event.position)
    entries = postings(event, payee=payee, payer=payer)
    for n, entry in enumerate(entries, start=1):
        yield _posting(event, n, entry, agreement, number)


def _posting(event: Event, n: int, entry: Posting, agreement: str, number: str | None) -> Row:
    body = event.body
    day = body.issue_date if isinstance(body, InvoiceIssued) else cast("PaymentReceived", body).value_date
    return (
        event.position,
        n,
        entry.book,
        entry.counterparty,
        agreement,
        entry.account,
        entry.side,
        entry.amount.currency,
        entry.grows.minor,
        day.isoformat(),
        number,
        sentence(event),
    )


def _number(event: Event) -> str:
    return event.stream.rpartition(":")[2]


VIEW: Final = View(name="balances", version=1, tables=(POSTINGS, INVOICES, APPROVALS), apply=apply)


def balances(
    views: Views,
    when: When,
    *,
    creditor: str | None = None,
    debtor: str | None = None,
    agreement: str | None = None,
    currency: str | None = None,
) -> Answer[Item]:
    """Who owes whom, per currency, with the age of what is due, and the proof that the books sum to nothing."""

    def question(reader: Reader) -> Item:
        wanted = {"agreement": agreement, "currency": currency}
        found = counting(reader, wanted)
        items = [
            _balance(sides, rows, reader)
            for sides, rows in sorted(_by_sides(found).items())
            if creditor in (None, sides[0]) and debtor in (None, sides[1])
        ]
        return {"items": items, "sums": _sums(found)}

    return views.ask(VIEW.name, when, question)


def books(views: Views, when: When, *, book: str | None = None, agreement: str | None = None) -> Answer[list[Item]]:
    """Every account of every book with its balance, by its nature: what is owned or spent grows by debits."""

    def question(reader: Reader) -> list[Item]:
        totals: dict[tuple[str, ...], int] = defaultdict(int)
        for row in counting(reader, {"book": book, "agreement": agreement}):
            key = tuple(str(row[column]) for column in ("book", "account", "currency", "counterparty", "agreement"))
            totals[key] += cast("int", row["minor"])
        return [
            {
                "book": of,
                "account": account,
                "currency": currency,
                "counterparty": counterparty,
                "agreement": under,
                "balance": money(minor, currency),
            }
            for (of, account, currency, counterparty, under), minor in sorted(totals.items())
        ]

    return views.ask(VIEW.name, when, question)


def counting(reader: Reader, wanted: dict[str, str | None]) -> list[dict[str, Value]]:
    """The postings that count at the question, in the order of their dates; `wanted` are columns."""
    filters = {f"{column} = ?": value for column, value in wanted.items() if value is not None}
    conditions = ["position <= ?", *filters]
    parameters: list[Value] = [reader.known_at, *filters.values()]
    if reader.when.as_of is not None:
        conditions.append("date <= ?")
        parameters.append(reader.as_of[:10])
    sql = f"SELECT {', '.join(POSTINGS.columns)} FROM {{balances_postings}} WHERE {' AND '.join(conditions)}"
    rows = reader.select(f"{sql} ORDER BY date, position, n", *parameters)
    return [dict(zip(POSTINGS.columns, row, strict=True)) for row in rows]


Sides = tuple[str, str, str]


def _by_sides(rows: Iterable[dict[str, Value]]) -> dict[Sides, list[dict[str, Value]]]:
    """(creditor, debtor, currency) → what the creditor's book says of the debtor."""
    found: dict[Sides, list[dict[str, Value]]] = defaultdict(list)
    for row in rows:
        if row["account"] in ("receivable", "unearned"):
            found[str(row["book"]), str(row["counterparty"]), str(row["currency"])].append(row)
    return found


def _balance(sides: Sides, rows: Iterable[dict[str, Value]], reader: Reader) -> Item:
    creditor, debtor, currency = sides
    open_by_invoice: dict[str, int] = defaultdict(int)
    on_account = 0
    for row in rows:
        if row["account"] == "receivable":
            open_by_invoice[str(row["invoice"])] += cast("int", row["minor"])
        else:
            on_account += cast("int", row["minor"])
    return {
        "creditor": creditor,
        "debtor": debtor,
        "currency": currency,
        "open": money(sum(open_by_invoice.values()), currency),
        "on_account": money(on_account, currency),
        "ageing": {age: money(minor, currency) for age, minor in _ageing(reader, open_by_invoice).items()},
    }


def _ageing(reader: Reader, open_by_invoice: dict[str, int]) -> dict[str, int]:
    today = reader.when.instant.date()
    ages = dict.fromkeys(("not_due", *(name for name, _ in AGES), OVER), 0)
    sql = "SELECT number, due_date FROM {balances_invoices} WHERE number IN ({marks})"
    for number, due_date in reader.select_among(sql, sorted(open_by_invoice)):
        past = (today - date.fromisoformat(str(due_date))).days
        name = "not_due" if past <= 0 else next((name for name, last in AGES if past <= last), OVER)
        ages[name] += open_by_invoice[str(number)]
    return ages


def _sums(rows: Iterable[dict[str, Value]]) -> list[Item]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: {"debit": 0, "credit": 0})
    for row in rows:
        # An amount is kept by how it makes its account grow; on its side it is never negative.
        sums[str(row["currency"])][str(row["side"])] += abs(cast("int", row["minor"]))
    return [
        {
            "currency": currency,
            "debits": money(total["debit"], currency),
            "credits": money(total["credit"], currency),
            "difference": money(total["debit"] - total["credit"], currency),
        }
        for currency, total in sorted(sums.items())
    ]


def statement(
    views: Views,
    when: When,
    book: str,
    account: str,
    *,
    currency: str | None = None,
    agreement: str | None = None,
    counterparty: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Answer[Item | None]:
    """The statements of an account, one a currency; `None` for an account or an authority there is none of."""
    wanted = {
        "book": book, "account": account, "currency": currency, "agreement": agreement, "counterparty": counterparty,
    }  # fmt: skip

    def question(reader: Reader) -> Item | None:
        if account not in NATURE or reader.facts.register(reader, reader.known_at).authority(book) is None:
            return None
        rows = counting(reader, wanted)
        pending = _pending(reader, wanted)
        currencies = sorted({str(row["currency"]) for row in rows} | {str(item["currency"]) for item in pending})
        return {
            "book": book,
            "account": account,
            "statements": [
                _one([row for row in rows if row["currency"] == one], one, first, last)
                | {"pending": [_shown(item) for item in pending if item["currency"] == one]}
                for one in currencies
            ],
        }

    return views.ask(VIEW.name, when, question)


def _one(rows: list[dict[str, Value]], currency: str, first: date | None, last: date | None) -> Item:
    begin = "" if first is None else first.isoformat()
    before = [row for row in rows if str(row["date"]) < begin]
    within = [row for row in rows if str(row["date"]) >= begin and (last is None or str(row["date"]) <= str(last))]
    balance = opening = sum(_minor(row) for row in before)
    items: list[Item] = []
    for row in within:
        minor = _minor(row)
        balance += minor
        items.append(
            {
                "date": row["date"],
                "description": row["description"],
                "agreement": row["agreement"],
                "counterparty": row["counterparty"],
                "in": money(minor, currency) if minor >= 0 else None,
                "out": money(-minor, currency) if minor < 0 else None,
                "balance": money(balance, currency),
                "position": row["position"],
            }
        )
    return {
        "currency": currency,
        "opening": money(opening, currency),
        "closing": money(balance, currency),
        "rows": items,
    }


def _pending(reader: Reader, wanted: dict[str, str | None]) -> list[dict[str, Value]]:
    """The invoices that two officers have not approved, with what is open of each."""
    side = OWED.get(str(wanted["account"]))
    if side is None:
        return []
    open_by_invoice: dict[str, int] = {}
    found: dict[str, dict[str, Value]] = {}
    for row in counting(reader, wanted):
        number = str(row["invoice"])
        open_by_invoice[number] = open_by_invoice.get(number, 0) + _minor(row)
        found.setdefault(number, row)
    until = "" if reader.when.as_of is None else reader.as_of
    officers: dict[str, set[str]] = {}
    sql = "SELECT number, officer, position, occurred_at FROM {balances_approvals} WHERE number IN ({marks})"
    for number_, officer, position, occurred_at in reader.select_among(sql, sorted(open_by_invoice)):
        if cast("int", position) <= reader.known_at and (not until or str(occurred_at) <= until):
            officers.setdefault(str(number_), set()).add(str(officer))
    return [
        {"number": number, "currency": found[number]["currency"], "minor": minor, "position": found[number]["position"]}
        for number, minor in sorted(open_by_invoice.items())
        if minor and len(officers.get(number, set())) < OFFICERS_MIN
    ]


def _shown(item: dict[str, Value]) -> Item:
    amount = money(cast("int", item["minor"]), str(item["currency"]))
    return {"kind": "unapproved", "number": item["number"], "amount": amount, "position": item["position"]}


def _minor(row: dict[str, Value]) -> int:
    return cast("int", row["minor"])
