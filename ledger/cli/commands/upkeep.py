"""Looking after the views: how far each is, what it leaves out, whether it says what the log says, making it anew."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.opening import Ledger, opened
from ledger.cli.options import AsJson, DatabaseUrl, WithParent, Yes, settings_of
from ledger.cli.terminal import is_confirmed, progress, say, show_document, show_lines, show_table
from ledger.cli.values import ID_RULE, is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from projections import Comparison, Rebuilt, ViewStatus

projections = typer.Typer(no_args_is_help=True, help="The views: how far they have come, verified or made anew.")

STATUS_COLUMNS: Final = (
    "view", "position", "head", "lag", "state", "trend", "rate", "eta_seconds", "driven", "parked", "skipped",
    "advanced_at", "building", "building_rate", "building_eta_seconds", "error_position", "error",
)  # fmt: skip
PARKED_COLUMNS: Final = ("position", "stream", "first_seen", "attempts", "error")
SKIPPED_COLUMNS: Final = ("position", "stream", "authority", "officer", "decided_at", "lifted_at", "reason")
COMPARISON_COLUMNS: Final = ("view", "position", "rows", "differing", "digest")
LINES_SHOWN_MAX: Final = 20
WATCH_SECONDS: Final = 1.0
REASON_CHARACTERS_MAX: Final = 500
BUILDING: Final = "Building the views anew"

ViewName = Annotated[str, typer.Argument(help="The view.", metavar="NAME")]


@projections.command("status")
def status(
    name: Annotated[str | None, typer.Argument(help="One view; all, if left out.", metavar="[NAME]")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """How far each view has come; of one, also what it leaves out. Ends with 4 if one is behind, stalled or stopped,
    or has parked events.
    """
    if watch and as_json:
        raise usage("--watch and --json don't go together", why="--json prints one document")
    with opened(settings_of(database_url=database_url)) as ledger:
        while True:
            found = ledger.views.status(name)
            _show_status(ledger, found, name, as_json=as_json)
            if not watch:
                break
            time.sleep(WATCH_SECONDS)
    if not any(one.driven for one in found):
        say("No process drives the views, so that only a command like this one brings them up; next: custody worker")
    require_current(found)


def _show_status(ledger: Ledger, found: Sequence[ViewStatus], name: str | None, *, as_json: bool) -> None:
    rows = [one.document() for one in found]
    parked, skipped = ledger.views.left_out(name) if name is not None else ([], [])
    left_out = {
        "parked_events": [one.document() for one in parked],
        "skipped_events": [one.document() for one in skipped],
    }
    if as_json:
        show_document({"views": rows if name is None else [{**row, **left_out} for row in rows]})
        return
    show_table(STATUS_COLUMNS, rows)
    if parked:
        show_table(PARKED_COLUMNS, left_out["parked_events"], title="parked, with what follows each in its stream")
    if skipped:
        show_table(SKIPPED_COLUMNS, left_out["skipped_events"], title="skipped")


def require_current(found: Sequence[ViewStatus]) -> None:
    """Raise `CommandFailed` where one of the views is behind, stands still or leaves out what it could not apply."""
    late = [one for one in found if one.state != "current" or one.parked]
    if not late:
        return
    faulty = next((one for one in late if one.error_position is not None), None)
    told = [
        f"{one.view} is {one.state} at position {one.position}"
        + (f", {one.parked} events parked" if one.parked else "")
        for one in late
    ]
    raise CommandFailed(
        ExitCode.BEHIND,
        "; ".join(told),
        why=f"{faulty.view}, event {faulty.error_position}: {faulty.error}" if faulty is not None else None,
        next_=f"custody audit show {faulty.error_position}, then custody projections retry {faulty.view}, or skip"
        if faulty is not None
        else "custody projections status --watch",
    )


@projections.command("verify")
def verify(
    name: Annotated[str | None, typer.Argument(help="One view; all, if left out.", metavar="[NAME]")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make views anew and hold the live ones against them; nothing is switched. Ends with 3 if one differs."""
    with opened(settings_of(database_url=database_url)) as ledger, _building() as told:
        compared = ledger.views.verify(() if name is None else (name,), progress=told)
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
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Begin at the first event, not where one was cut off.")
    ] = False,
    as_json: AsJson = False,
    report: Annotated[bool, typer.Option("--report", hidden=True, help="Print what happens as lines of JSON.")] = False,
    with_parent: WithParent = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make views anew from the log alone, prove them equal to the live ones, and switch.

    One that differs is switched in only with --yes, or when the person at the terminal says so. Ctrl-C keeps what is
    built: the next rebuild goes on from there.
    """
    wanted = tuple(names or ())
    if bool(wanted) == all_:
        raise usage("name the views, or give --all", next_="custody projections rebuild NAME, or --all")
    settings = settings_of(database_url=database_url)
    if report:
        from ledger.cli.reporting import report_rebuild

        report_rebuild(settings, wanted, with_parent=with_parent)
        return
    with opened(settings) as ledger:
        rebuilt = _rebuilt(ledger, wanted, force=yes, afresh=afresh)
        withheld = tuple(item.comparison.view for item in rebuilt if not item.switched)
        if withheld and not as_json:
            _show_comparisons([item.comparison for item in rebuilt if not item.switched])
        question = f"Switch to what the log says, and lose what {', '.join(withheld)} showed?"
        if withheld and is_confirmed(question, yes=False):
            again = {item.comparison.view: item for item in _rebuilt(ledger, withheld, force=True)}
            rebuilt = [again.get(item.comparison.view, item) for item in rebuilt]
    _show_rebuilt(rebuilt, as_json=as_json)
    left = [item.comparison.view for item in rebuilt if not item.switched]
    if left:
        raise CommandFailed(
            ExitCode.REFUSED,
            f"{', '.join(left)} differ from what the log says and were not switched",
            why="a switch can't be undone",
            next_=f"custody projections rebuild {' '.join(left)} --yes",
        )


@projections.command("retry")
def retry(
    name: ViewName,
    position: Annotated[
        int | None, typer.Option("--position", min=1, metavar="N", help="Only the stream of this event.")
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Apply the events that a view has parked, by making it anew with them in their place.

    It is switched in if all of them can be applied; the view stays as it is if not. An event that was skipped is tried
    again if it is named.
    """
    with opened(settings_of(database_url=database_url)) as ledger, _building() as told:
        rebuilt = ledger.views.retry(name, position, progress=told)
    _show_rebuilt(rebuilt, as_json=as_json)


@projections.command("skip")
def skip(
    name: ViewName,
    position: Annotated[int, typer.Option("--position", min=1, metavar="N", help="The event to leave out.")],
    officer: Annotated[str, typer.Option("--officer", metavar="A/O", help="Who decides: AUTHORITY/OFFICER.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the decision.")],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide that a view leaves out an event that it can't apply, and apply what follows it in its stream.

    The log keeps the event; the decision is kept with who took it and why, and holds also for rebuilds.
    """
    authority, _, person = officer.partition("/")
    if not (is_id(authority) and is_id(person)):
        raise usage("--officer is no actor", why=ID_RULE, next_="write it like --officer keeper/k-1")
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise usage("--reason is missing or too long", next_=f"say in 1 to {REASON_CHARACTERS_MAX} characters why")
    with opened(settings_of(database_url=database_url)) as ledger, _building() as told:
        rebuilt = ledger.views.skip(
            name, position, authority=authority, officer=person, reason=reason.strip(), progress=told
        )
    _show_rebuilt(rebuilt, as_json=as_json)


def _rebuilt(ledger: Ledger, names: Sequence[str], *, force: bool, afresh: bool = False) -> list[Rebuilt]:
    with _building() as told:
        return ledger.views.rebuild(names, force=force, afresh=afresh, progress=told)


@contextmanager
def _building() -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left where somebody watches; how it began and ended is said in any case."""
    began: list[tuple[float, int]] = []
    last = [0]
    with progress(BUILDING) as bar:

        def told(done: int, total: int) -> None:
            if not began:
                began.append((time.monotonic(), done))
                if done:
                    say(f"Going on from position {done:,} of {total:,}.")
            last[0] = done
            bar.stage(f"{BUILDING}, {_rate(began[0], done):,} events/s", done, total)

        try:
            yield told
        except KeyboardInterrupt:
            say(f"What is built up to position {last[0]:,} is kept; the same command goes on from there.")
            raise
    if began:
        say(f"{last[0] - began[0][1]:,} events applied, {_rate(began[0], last[0]):,} a second.")


def _rate(began: tuple[float, int], done: int) -> int:
    instant, before = began
    return int((done - before) / max(time.monotonic() - instant, 1e-3))


def _show_rebuilt(rebuilt: Sequence[Rebuilt], *, as_json: bool) -> None:
    if as_json:
        show_document({"views": [item.document() for item in rebuilt]})
        return
    if not rebuilt:
        say("Nothing is parked.")
    rows = [{**item.document(), "switched": item.switched} for item in rebuilt]
    show_table((*COMPARISON_COLUMNS, "switched", "generation"), rows)


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
