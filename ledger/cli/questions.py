"""What can be asked of the views from the command line: each view by its name, its filters, its columns.

`QUESTIONS` is the one list. `custody view NAME` asks any of them; the commands for people and money ask the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.cli import asking
from ledger.cli.asking import Filters, Told
from ledger.cli.values import Read, code, currency, day, file, instant, position, status

if TYPE_CHECKING:
    from ledger.cli.opening import Ledger
    from projections import When

Ask = Callable[["Ledger", "When", Filters, "int | None"], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One view: its filters by name (with hyphens) and which of them it can't do without.

    `kept_by` is the view that holds the rows, where that is another.
    """

    view: str
    about: str
    filters: Mapping[str, Read]
    columns: tuple[str, ...]
    ask: Ask
    needs: tuple[str, ...] = ()
    in_both_times: bool = True
    kept_by: str | None = None


QUESTIONS: Final[Mapping[str, Question]] = {
    question.view: question
    for question in (
        Question(
            view="people",
            about="who is in the register, as of now",
            filters={
                "status": status,
                "file": file,
                **dict.fromkeys(("custodian", "responsible", "at", "agreement", "flags"), code),
            },
            columns=("person", "status", "file", "custodian", "responsible", "at", "agreement", "flags", "ref"),
            ask=asking.ask_people,
            in_both_times=False,
        ),
        Question(
            view="current_custody",
            about="who holds a person, where, since when, on what ground, how surely",
            filters={"person": code},
            columns=(),
            ask=asking.ask_custody,
            needs=("person",),
        ),
        Question(
            view="custody_timeline",
            about="where a person has been, without a hole",
            filters={"person": code, "status": status, "from": instant, "to": instant},
            columns=(
                "from", "to", "kind", "name", "status", "responsible", "custodian", "at", "midnights", "opened_by",
                "ended_by", "flags",
            ),
            ask=asking.ask_timeline,
            needs=("person",),
        ),
        Question(
            view="roll",
            about="who is in a place at an instant",
            filters=dict.fromkeys(("facility", "custodian", "agreement"), code),
            columns=(
                "person", "since", "place_kept", "custodian", "basis", "due", "confidence", "agreement", "ref",
            ),
            ask=asking.ask_roll,
            needs=("facility",),
        ),
        Question(
            view="occupancy",
            about="how many are in a place on each date, and why that many: start + in - out = end",
            filters={"facility": code, "from": day, "to": day},
            columns=(
                "date", "start", "in", "out", "end", "present", "absent", "unaccounted", "any_part", "reported",
                "allocated", "reserved", "capacity", "free", "over_by",
            ),
            ask=asking.ask_occupancy,
            needs=("facility",),
        ),
        Question(
            view="balances",
            about="who owes whom, by days past due",
            filters={**dict.fromkeys(("creditor", "debtor", "agreement"), code), "currency": currency},
            columns=("creditor", "debtor", "open", "on_account", "ageing"),
            ask=asking.ask_balances,
        ),
        Question(
            view="statements",
            about="one account of an authority's book",
            filters={
                **dict.fromkeys(("book", "account", "agreement", "counterparty"), code),
                "currency": currency,
                "from": day,
                "to": day,
            },
            columns=("date", "description", "agreement", "counterparty", "in", "out", "balance", "position"),
            ask=asking.ask_statements,
            needs=("book", "account"),
            kept_by="balances",
        ),
        Question(
            view="invoices",
            about="the invoices issued, what is paid and what is open",
            filters=dict.fromkeys(("agreement", "payee", "payer", "status"), code),
            columns=(
                "number", "kind", "agreement", "payee", "payer", "period", "issue_date", "due_date", "total", "paid",
                "open", "status", "position",
            ),
            ask=asking.ask_invoices,
        ),
        Question(
            view="audit_trail",
            about="what happened, who said so, and when it was written",
            filters={
                **dict.fromkeys(("person", "transfer", "authority", "type"), code),
                "from": position,
                "to": position,
                "recorded-from": instant,
                "recorded-to": instant,
            },
            columns=(
                "position", "occurred_at", "recorded_at", "authority", "officer", "sentence", "flags", "corrected_by",
            ),
            ask=asking.ask_trail,
        ),
    )
}  # fmt: skip
