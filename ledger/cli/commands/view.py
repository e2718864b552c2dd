"""Asking any view: `custody view NAME`, and the one way in which every command tells what a view answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import usage
from ledger.cli.opening import opened
from ledger.cli.options import AsJson, AsOf, DatabaseUrl, KnownAt, Limit, settings_of
from ledger.cli.questions import QUESTIONS
from ledger.cli.terminal import say, show_document, show_fields, show_table
from ledger.cli.values import filters_of, instant
from ledger.cli.values import known_at as read_known_at

if TYPE_CHECKING:
    from ledger.cli.asking import Filters, Told
    from ledger.cli.questions import Question

FREE_FILTERS: Final = {"allow_extra_args": True, "ignore_unknown_options": True}

VIEWS_TOLD: Final = "\n\n".join(
    f"{question.view}: {question.about}. Filters: {', '.join(f'--{one}' for one in question.filters)}."
    for question in QUESTIONS.values()
)


def view(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(QUESTIONS)}.", metavar="NAME")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    limit: Limit = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Ask any view, with its filters as flags: custody view roll --facility f1 --as-of T.

    An unknown filter is answered with the list of those the view has.
    """
    if name not in QUESTIONS:
        raise usage(f"there is no view {name}", next_=f"custody view with one of: {', '.join(QUESTIONS)}")
    question = QUESTIONS[name]
    answer(
        name,
        filters_of(name, question.filters, context.args),
        as_of=as_of,
        known_at=known_at,
        limit=limit,
        as_json=as_json,
        database_url=database_url,
    )


def answer(
    name: str,
    filters: Mapping[str, str | None],
    *,
    as_of: str | None = None,
    known_at: str | None = None,
    limit: int | None = None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Ask a view and print what it says. Filters are texts as they were typed; one that is None was not given."""
    question = QUESTIONS[name]
    read = question.filters
    given = {one: read[one](f"--{one}", text) for one, text in filters.items() if text is not None}
    _require(question, given, as_of, known_at)
    instants = instant("--as-of", as_of) if as_of is not None else None
    knowledge = read_known_at("--known-at", known_at) if known_at is not None else None
    with opened(settings_of(database_url=database_url)) as ledger:
        when = ledger.when(question.kept_by or question.view, as_of=instants, known_at=knowledge)
        told = question.ask(ledger, when, given, limit)
        tell(told, question.columns, as_json=as_json)


def tell(told: Told, columns: tuple[str, ...], *, as_json: bool) -> None:
    """Print an answer: one JSON document, or a table and on stderr for which position it speaks."""
    if as_json:
        show_document(told.document)
        return
    if told.fields:
        show_fields(told.fields)
        return
    if told.rows:
        show_table(columns, told.rows)
    rows = f"{len(told.rows)} row{'s' * (len(told.rows) != 1)}" if told.rows else "Nothing"
    more = ", and there is more" if told.document.get("more") else ""
    say(
        f"{rows}{more}; as of {told.document['as_of']}, by what was recorded up to position {told.document['position']}"
    )


def _require(question: Question, given: Filters, as_of: str | None, known_at: str | None) -> None:
    missing = [filter_ for filter_ in question.needs if filter_ not in given]
    if missing:
        needed = " ".join(f"--{filter_} …" for filter_ in missing)
        raise usage(f"the view {question.view} needs {needed}", next_=f"custody view {question.view} {needed}")
    if not question.in_both_times and (as_of, known_at) != (None, None):
        raise usage(
            f"the view {question.view} answers for now alone",
            next_="ask current_custody, custody_timeline or roll about another time",
        )
