"""Money: balances, statements of accounts, invoices and why their lines are what they are."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from domain.billing.custody_days import Knowledge
from domain.commands import MAX_INTEGER, CivilDate, Code, CurrencyCode, Id
from domain.refusals import AuthorityIsUnknown, BodyIsMalformed, CodeIsNotListed, InvoiceIsUnknown
from domain.rules.money.treasury import InvoiceNumberIn
from ledger.http.answers import money as shapes
from ledger.http.asking import (
    Reader,
    WhenListQuery,
    WhenQuery,
    at_head,
    document,
    entity,
    linked,
    page,
    service_of,
    when_of,
    when_of_page,
)
from ledger.http.document.operations import answers
from ledger.http.paging import asked
from ledger.http.problems import NotFound
from ledger.http.reads import accruals
from ledger.http.reads.entities import require_known
from ledger.http.reads.forms import Read
from ledger.http.reads.links import links_of
from projections import Item, When
from projections import balances as balances_view
from projections import invoices as invoices_view

router = APIRouter(tags=["money"], route_class=Read)
Line = Annotated[int, Path(ge=1, le=MAX_INTEGER)]


class BalancesQuery(WhenQuery):
    """Filters of the balances."""

    creditor: Id | None = None
    debtor: Id | None = None
    agreement: Id | None = None
    currency: CurrencyCode | None = None


class StatementQuery(WhenQuery):
    """Whose book, and which part of it; dates are those of the documents, both inclusive."""

    book: Id
    currency: CurrencyCode | None = None
    agreement: Id | None = None
    counterparty: Id | None = None
    from_: Annotated[CivilDate | None, Query(alias="from")] = None
    to: CivilDate | None = None
    accrued: bool = Field(
        False, description="Also what is earned and not billed yet: every day under the agreements is counted for it."
    )


class InvoicesQuery(WhenListQuery):
    """Filters of the list of invoices."""

    agreement: Id | None = None
    payee: Id | None = None
    payer: Id | None = None
    status: Code | None = None


@router.get(
    "/balances",
    operation_id="show-balances",
    responses=answers(
        shapes.Balances, "authority-is-unknown", "agreement-is-unknown", "currency-is-unknown", dated=True
    ),
)
def balances(_reader: Reader, request: Request, query: Annotated[BalancesQuery, Query()]) -> Response:
    """Who owes whom, in each currency by itself, by days past due; and that all postings sum to zero."""
    with at_head(request, query) as register:
        require_known(
            register,
            authority_creditor=query.creditor,
            authority_debtor=query.debtor,
            agreement=query.agreement,
        )
    found = balances_view.balances(
        service_of(request).views,
        when_of(request, query, as_of=query.as_of, known_at=query.known_at),
        creditor=query.creditor,
        debtor=query.debtor,
        agreement=query.agreement,
        currency=query.currency,
    )
    return document({**found.value, "as_of": found.as_of, "position": found.position}, found.position)


@router.get(
    "/accounts/{account}/statement",
    operation_id="show-statement",
    responses=answers(
        shapes.Statement, "authority-is-unknown", "agreement-is-unknown", "currency-is-unknown", dated=True
    ),
)
def statement(_reader: Reader, request: Request, account: Code, query: Annotated[StatementQuery, Query()]) -> Response:
    """One account of an authority's book: what came in, what went out, the balance, each row citing its event.

    What is not in the balance yet stands apart. One statement a currency.
    """
    if account not in balances_view.ACCOUNTS:
        raise CodeIsNotListed(("/account",))
    if query.from_ is not None and query.to is not None and query.to < query.from_:
        raise BodyIsMalformed("schema", ("/to",))
    with at_head(request, query) as register:
        require_known(
            register,
            authority_book=query.book,
            authority_counterparty=query.counterparty,
            agreement=query.agreement,
        )
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = balances_view.statement(
        service_of(request).views,
        when,
        query.book,
        account,
        currency=query.currency,
        agreement=query.agreement,
        counterparty=query.counterparty,
        first=query.from_,
        last=query.to,
    )
    if found.value is None:
        raise AuthorityIsUnknown(query.book)
    side = balances_view.OWED.get(account)
    accrued = _accrued(request, query, when, side, found.position) if side is not None and query.accrued else []
    answer = {**found.value, "statements": accruals.beside(found.value["statements"], accrued)}
    return document({**answer, "as_of": found.as_of, "position": found.position}, found.position)


def _accrued(request: Request, query: StatementQuery, when: When, side: str, position: int) -> list[Item]:
    """The pending rows of what is earned and not billed; nothing is earned ahead of now."""
    service = service_of(request)
    with at_head(request, query, position) as register:
        agreements = register.ids("agreement")
    sides = accruals.Sides(query.book, side == "payee", query.counterparty, query.agreement, query.currency)
    books = accruals.Books(register, service.writer.reading, when.as_of.date() if when.as_of is not None else None)
    knowledge = Knowledge(as_of=min(when.instant, when.now), known_at=position)
    return list(accruals.pending(books, agreements, sides, knowledge))


@router.get(
    "/invoices",
    operation_id="list-invoices",
    responses=answers(shapes.Invoices, "authority-is-unknown", "agreement-is-unknown", dated=True),
)
def invoices(_reader: Reader, request: Request, query: Annotated[InvoicesQuery, Query()]) -> Response:
    """The invoices issued, with what is paid and what is open.

    A further page speaks for the knowledge of the first, whatever is recorded meanwhile.
    """
    asking = asked(request, query)
    wanted = asking.query
    with at_head(request, query) as register:
        require_known(register, authority_payee=wanted.payee, authority_payer=wanted.payer, agreement=wanted.agreement)
    found = invoices_view.invoices(
        service_of(request).views,
        when_of_page(request, asking),
        limit=wanted.limit,
        after=asking.text_after(),
        agreement=wanted.agreement,
        payee=wanted.payee,
        payer=wanted.payer,
        status=wanted.status,
    )
    return page(asking, found.value.items, found.value.next, found.position)


@router.get(
    "/invoices/{number}",
    operation_id="show-invoice",
    responses=answers(shapes.Invoice, "invoice-is-unknown", dated=True, versioned=True),
)
def invoice(
    reader: Reader, request: Request, number: InvoiceNumberIn, query: Annotated[WhenQuery, Query()]
) -> Response:
    """One invoice: lines, the custody days they cite, approvals, payments.

    `ETag` is given where the view stands where the invoice's file does.
    """
    with at_head(request, query) as register:
        file, position = register.invoice(number), register.position
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = invoices_view.invoice(service_of(request).views, when, number)
    if found.value is None:
        raise InvoiceIsUnknown(number)
    if file is None or found.position != position:
        return document(linked(found.value, links_of(request, reader, "number", number)), found.position)
    links = partial(links_of, request, reader, "number", number)
    return entity(request, found.value, found.position, file.version, links)


@router.get(
    "/invoices/{number}/lines/{line}/explanation",
    operation_id="explain-line",
    responses=answers(shapes.Explanation, "invoice-is-unknown", "not-found", dated=True),
)
def explanation(
    _reader: Reader, request: Request, number: InvoiceNumberIn, line: Line, query: Annotated[WhenQuery, Query()]
) -> Response:
    """Why a line is what it is, from the days of custody to the amount."""
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = invoices_view.explanation(service_of(request).views, when, number, line)
    if found.value is None:
        with at_head(request, query) as register:
            raise NotFound if register.invoice(number) is not None else InvoiceIsUnknown(number)
    return document({**found.value, "position": found.position}, found.position)
