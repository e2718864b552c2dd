"""People on the command line: find them, see who holds one of them, and where that person has been."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.commands.view import answer
from ledger.cli.options import AsJson, AsOf, DatabaseUrl, KnownAt, Limit

people = typer.Typer(
    no_args_is_help=True, help="People in the register: find one, see who holds them, where they were."
)

Person = Annotated[str, typer.Argument(help="The person's id.", metavar="PERSON")]


@people.command("find")
def find(
    status: Annotated[str | None, typer.Option(help="held, in-transit, absent, unaccounted, released, …")] = None,
    file: Annotated[str | None, typer.Option(help="open or closed.")] = None,
    custodian: Annotated[str | None, typer.Option(help="The authority that holds them.")] = None,
    responsible: Annotated[str | None, typer.Option(help="The authority that is legally responsible.")] = None,
    at: Annotated[str | None, typer.Option(help="Where they are, as in facility:ID.")] = None,
    agreement: Annotated[str | None, typer.Option(help="The agreement they are held under.")] = None,
    flags: Annotated[str | None, typer.Option(help="A flag on their file.")] = None,
    limit: Limit = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Who is in the register, in the order of their ids, as of now."""
    filters = {
        "status": status,
        "file": file,
        "custodian": custodian,
        "responsible": responsible,
        "at": at,
        "agreement": agreement,
        "flags": flags,
    }
    answer("people", filters, limit=limit, as_json=as_json, database_url=database_url)


@people.command("show")
def show(
    person: Person,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Who holds a person, where, since when, on what ground, and how surely."""
    answer(
        "current_custody",
        {"person": person},
        as_of=as_of,
        known_at=known_at,
        as_json=as_json,
        database_url=database_url,
    )


@people.command("timeline")
def timeline(
    person: Person,
    status: Annotated[str | None, typer.Option(help="Only spells of this status.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="T", help="Only what reaches beyond T.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="T", help="Only what began before T.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Where a person has been: spells, and the gaps between them by name."""
    filters = {
        "person": person,
        "status": status,
        "from": from_,
        "to": to,
    }
    answer("custody_timeline", filters, as_of=as_of, known_at=known_at, as_json=as_json, database_url=database_url)
