"""Money on the command line: who owes whom, the statements of accounts, invoices and what is behind their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.commands.view import answer
from ledger.cli.opening import opened
from ledger.cli.options import AsJson, AsOf, DatabaseUrl, KnownAt, Limit, settings_of
from ledger.cli.terminal import show_document, show_fields, show_table
from ledger.cli.values import instant
from ledger.cli.values import known_at as read_known_at

if TYPE_CHECKING:
    from ledger.cli.opening import Ledger
    from projections import Answer, When

balances = typer.Typer(no_args_is_help=True, help="Who owes whom, and the statements of accounts.")
invoices = typer.Typer(no_args_is_help=True, help="Invoices: listed, shown whole, and each line explained.")

Agreement = Annotated[str | None, typer.Option(help="Under this agreement.")]
Currency = Annotated[str | None, typer.Option(help="In this currency (ISO 4217).")]
Number = Annotated[str, typer.Argument(help="The invoice's number.", metavar="NUMBER")]


@balances.command("show")
def show_balances(
    creditor: Annotated[str | None, typer.Option(help="Owed to this authority.")] = None,
    debtor: Annotated[str | None, typer.Option(help="Owed by this authority.")] = None,
    agreement: Agreement = None,
    currency: Currency = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Who owes whom, in each currency by itself, by days past due."""
    filters = {"creditor": creditor, "debtor": debtor, "agreement": agreement, "currency": currency}
    answer("balances", filters, as_of=as_of, known_at=known_at, as_json=as_json, database_url=database_url)


@balances.command("statement")
def statement(
    book: Annotated[str, typer.Argument(help="The authority whose book it is.", metavar="BOOK")],
    account: Annotated[str, typer.Argument(help="The account, such as receivable or payable.", metavar="ACCOUNT")],
    currency: Currency = None,
    agreement: Agreement = None,
    counterparty: Annotated[str | None, typer.Option(help="With this authority.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE", help="From this date.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DATE", help="To this date.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """One account of a book: what came in, what went out, the balance; what is pending stands apart."""
    filters = {
        "book": book,
        "account": account,
        "currency": currency,
        "agreement": agreement,
        "counterparty": counterparty,
        "from": from_,
        "to": to,
    }
    answer("statements", filters, as_of=as_of, known_at=known_at, as_json=as_json, database_url=database_url)


@invoices.command("list")
def list_invoices(
    agreement: Agreement = None,
    payee: Annotated[str | None, typer.Option(help="Issued by this authority.")] = None,
    payer: Annotated[str | None, typer.Option(help="To be paid by this authority.")] = None,
    status: Annotated[str | None, typer.Option(help="As the list shows it, such as issued or settled.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    limit: Limit = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """The invoices issued, with what is paid and what is open."""
    filters = {"agreement": agreement, "payee": payee, "payer": payer, "status": status}
    answer("invoices", filters, as_of=as_of, known_at=known_at, limit=limit, as_json=as_json, database_url=database_url)


@invoices.command("show")
def show_invoice(
    number: Number,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """One invoice: lines, the custody days they cite, approvals, payments."""
    from projections import invoices as view

    with opened(settings_of(database_url=database_url)) as ledger:
        shown = _known(number, view.invoice(ledger.views, _when(ledger, as_of, known_at), number))
        if as_json:
            show_document(shown)
            return
        tables = ("lines", "claims", "approvals", "payments")
        show_fields({name: value for name, value in shown.items() if name not in tables})
        for name in tables:
            if shown[name]:
                show_table(tuple(shown[name][0]), shown[name], title=name)


@invoices.command("explain")
def explain(
    number: Number,
    line: Annotated[int, typer.Argument(help="The line.", metavar="LINE", min=1)],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Why a line is what it is, from the days of custody to the amount."""
    from projections import invoices as view

    with opened(settings_of(database_url=database_url)) as ledger:
        shown = _known(number, view.explanation(ledger.views, _when(ledger, as_of, known_at), number, line))
        if as_json:
            show_document(shown)
            return
        show_fields({name: value for name, value in shown.items() if name != "days"})
        if shown["days"]:
            show_table(tuple(shown["days"][0]), shown["days"], title="days")


def _when(ledger: Ledger, as_of: str | None, known_at: str | None) -> When:
    return ledger.when(
        "invoices",
        as_of=instant("--as-of", as_of) if as_of is not None else None,
        known_at=read_known_at("--known-at", known_at) if known_at is not None else None,
    )


def _known(number: str, answer: Answer[dict[str, object] | None]) -> dict[str, Any]:
    from domain.refusals import InvoiceIsUnknown

    if answer.value is None:
        raise InvoiceIsUnknown(number)
    return {**answer.value, "as_of": answer.as_of, "position": answer.position}
