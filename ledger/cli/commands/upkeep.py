"""Keeping the views: how far each has come, whether it says what the log says, and making it anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.opening import Ledger, opened
from ledger.cli.options import AsJson, DatabaseUrl, Yes, settings_of
from ledger.cli.terminal import is_confirmed, progress, say, show_document, show_lines, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections import Comparison, Rebuilt

projections = typer.Typer(no_args_is_help=True, help="The views: how far they have come, verified or made anew.")

STATUS_COLUMNS: Final = ("view", "position", "head", "lag", "state", "trend", "rate", "advanced_at", "error")
COMPARISON_COLUMNS: Final = ("view", "position", "rows", "differing", "digest")
LINES_SHOWN_MAX: Final = 20
WATCH_SECONDS: Final = 1.0


@projections.command("status")
def status(
    name: Annotated[str | None, typer.Argument(help="One view; all, if left out.", metavar="[NAME]")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """How far each view has come; ends with 4 if one is behind, stalled or stopped."""
    if watch and as_json:
        raise usage("--watch and --json don't go together", why="--json prints one document")
    with opened(settings_of(database_url=database_url)) as ledger:
        while True:
            rows = [item.document() for item in ledger.views.status(name)]
            if as_json:
                show_document({"views": rows})
            else:
                show_table(STATUS_COLUMNS, rows)
            if not watch:
                break
            time.sleep(WATCH_SECONDS)
    late = [row for row in rows if row["state"] != "current"]
    if late:
        told = ", ".join(f"{row['view']} is {row['state']} at position {row['position']}" for row in late)
        stopped = next((row for row in late if row["state"] == "stopped"), None)
        raise CommandFailed(
            ExitCode.BEHIND,
            told,
            why=f"at position {stopped['error_position']}: {stopped['error']}" if stopped is not None else None,
            next_="custody audit verify" if stopped is not None else "custody projections status --watch",
        )


@projections.command("verify")
def verify(
    name: Annotated[str | None, typer.Argument(help="One view; all, if left out.", metavar="[NAME]")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make views anew and hold the live ones against them; nothing is switched. Ends with 3 if one differs."""
    with opened(settings_of(database_url=database_url)) as ledger, progress("Building the views anew") as bar:
        compared = ledger.views.verify(() if name is None else (name,), progress=bar)
    if as_json:
        show_document({"views": [item.document() for item in compared]})
    else:
        _show_comparisons(compared)
    differing = [item.view for item in compared if not item.is_equal]
    if differing:
        raise CommandFailed(
            ExitCode.NOT_VERIFIED,
            f"{', '.join(differing)}: not what the log says",
            next_=f"custody projections rebuild {' '.join(differing)} --yes",
        )


@projections.command("rebuild")
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(help="The views.", metavar="[NAME]...")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make views anew from the log alone, prove them equal to the live ones, and switch.

    One that differs is switched in only with --yes, or when the person at the terminal says so.
    """
    wanted = tuple(names or ())
    if bool(wanted) == all_:
        raise usage("name the views, or give --all", next_="custody projections rebuild NAME, or --all")
    with opened(settings_of(database_url=database_url)) as ledger:
        rebuilt = _rebuilt(ledger, wanted, force=yes)
        withheld = tuple(item.comparison.view for item in rebuilt if not item.switched)
        if withheld and not as_json:
            _show_comparisons([item.comparison for item in rebuilt if not item.switched])
        question = f"Switch to what the log says, and lose what {', '.join(withheld)} showed?"
        if withheld and is_confirmed(question, yes=False):
            again = {item.comparison.view: item for item in _rebuilt(ledger, withheld, force=True)}
            rebuilt = [again.get(item.comparison.view, item) for item in rebuilt]
    if as_json:
        show_document({"views": [item.document() for item in rebuilt]})
    else:
        rows = [{**item.document(), "switched": item.switched} for item in rebuilt]
        show_table((*COMPARISON_COLUMNS, "switched", "generation"), rows)
    left = [item.comparison.view for item in rebuilt if not item.switched]
    if left:
        raise CommandFailed(
            ExitCode.REFUSED,
            f"{', '.join(left)} differ from what the log says and were not switched",
            why="a switch can't be undone",
            next_=f"custody projections rebuild {' '.join(left)} --yes",
        )


def _rebuilt(ledger: Ledger, names: Sequence[str], *, force: bool) -> list[Rebuilt]:
    with progress("Building the views anew") as bar:
        return ledger.views.rebuild(names, force=force, progress=bar)


def _show_comparisons(compared: Sequence[Comparison]) -> None:
    show_table(COMPARISON_COLUMNS, [item.document() for item in compared])
    for item in compared:
        shown = item.differences[:LINES_SHOWN_MAX]
        show_lines([_difference(item, index) for index in range(len(shown))])
        if item.differing > len(shown):
            say(f"… and {item.differing - len(shown)} more in {item.view}; --json has up to 1,000 of them")


def _difference(compared: Comparison, index: int) -> str:
    one = compared.differences[index]
    key = ", ".join(f"{name}={value}" for name, value in one.key.items())
    live, rebuilt = (
        "no such row" if row is None else ", ".join(f"{name}={row[name]}" for name in one.columns)
        for row in (one.live, one.rebuilt)
    )
    behind = f" (positions {', '.join(map(str, one.events))})" if one.events else ""
    return f"{one.table} {key}: shows {live}; the log says {rebuilt}{behind}"
