"""What a statement adds to its pending amounts: what is earned under its schedules and stands on no invoice yet.

No view keeps it. The days are folded from the files of the people concerned, as they were known at the position of the
statement and true at its instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Final, NamedTuple, cast

from msgspec.structs import replace

from domain.billing.accruals import accrued
from domain.billing.custody_days import Knowledge
from domain.billing.schedules import SignedSchedule, signed_schedules
from domain.files.person import Billed, PersonFile
from domain.money import Money
from domain.names import PersonId
from domain.register import Register
from projections import Item
from projections.parties import money

KIND: Final = "accrued"


class Sides(NamedTuple):
    """Whose book it is, on which side of a schedule it stands, and what the question is narrowed to."""

    book: str
    is_payee: bool
    counterparty: str | None
    agreement: str | None
    currency: str | None

    def concerns(self, schedule: SignedSchedule) -> bool:
        """Whether what a schedule earns belongs on this account."""
        body = schedule.body
        book, other = (body.payee, body.payer) if self.is_payee else (body.payer, body.payee)
        return self.book == book and self.counterparty in (None, other) and self.currency in (None, body.currency)


class Books(Register):
    """The register as accruals read it, beside a writer: the people are listed while it is held still (`reading`).

    An invoice bills from its date on; `until` is the date that is asked about, none where that is today.
    """

    def __init__(self, register: Register, reading: AbstractContextManager[object], until: date | None) -> None:
        super().__init__(register)
        self._reading, self._until = reading, until

    def under(self, agreement_id: str) -> Iterator[PersonId]:
        """Those with a transfer under the agreement."""
        with self._reading:
            return iter(list(super().under(agreement_id)))

    def person(self, id_: str) -> PersonFile | None:
        """The file of a person, with the days that were billed by that date."""
        file = super().person(id_)
        if file is None or self._until is None:
            return file
        return replace(file, billed=tuple(item for item in file.billed if self._is_issued(item, self._until)))

    def _is_issued(self, item: Billed, until: date) -> bool:
        invoice = self.invoice(item.stream.rpartition(":")[2])
        return invoice is not None and invoice.body.issue_date <= until


def pending(books: Books, agreements: Sequence[str], sides: Sides, knowledge: Knowledge) -> Iterator[Item]:
    """A row for each schedule that has accrued something; its position is that of the signature that agreed it."""
    for id_ in agreements:
        file = books.agreement(id_) if sides.agreement in (None, id_) else None
        for schedule in signed_schedules(file, knowledge.known_at) if file is not None else ():
            if sides.concerns(schedule):
                amount = accrued(books, schedule, knowledge)
                if amount.minor:
                    yield _row(amount, schedule.agreed_by)


def _row(amount: Money, agreed_by: int) -> Item:
    return {"kind": KIND, "number": None, "amount": money(amount.minor, amount.currency), "position": agreed_by}


def beside(statements: object, accrued: Sequence[Item]) -> list[Item]:
    """The statements, each with what has accrued in its currency; where nothing is posted yet, one of that alone."""
    by_currency = {str(one["currency"]): one for one in cast("list[Item]", statements)}
    for row in accrued:
        currency = cast("dict[str, str]", row["amount"])["currency"]
        none = money(0, currency)
        blank: Item = {"currency": currency, "opening": none, "closing": none, "rows": [], "pending": []}
        one = by_currency.get(currency, blank)
        by_currency[currency] = {**one, "pending": [*cast("list[Item]", one["pending"]), row]}
    return [one for _, one in sorted(by_currency.items())]
