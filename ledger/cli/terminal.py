"""The two streams: data on stdout as a table or as one JSON document, everything said about it on stderr.

A table aligns whether or not anybody is watching; colours and progress bars are for a terminal alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ledger.cli.exits import Failure

WIDE: Final = 100_000
"""Columns of a stream that is no terminal: nothing is folded there."""
NOTHING: Final = "-"


class Bar:
    """Told how much is done of how much; `stage` also what is being done. Nobody watches this one."""

    def __call__(self, done: int, total: int) -> None:
        """So much is done; a total of 0 is one that is not known."""

    def stage(self, label: str, done: int, total: int) -> None:
        """The same, with another label."""


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody is watching the stream."""
    return stream.isatty()


def show_document(document: object) -> None:
    """Print data as JSON: sorted keys, one document."""
    print(json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False))


def show_lines(lines: Sequence[str]) -> None:
    """Print data as lines of text, seen at once also by who reads a pipe."""
    for line in lines:
        print(printable(line))
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]], title: str | None = None) -> None:
    """Print rows as an aligned table; numbers and amounts stand to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        is_number = any(_is_number(row.get(column)) for row in rows)
        table.add_column(_text(column.replace("_", " ")), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell(row.get(column))) for column in columns))
    _console(sys.stdout).print(table)


def show_fields(fields: Mapping[str, object]) -> None:
    """Print one thing's fields, a line each."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(_text(name.replace("_", " ")), _text(cell(value)))
    _console(sys.stdout).print(table)


def say(text: str) -> None:
    """Tell the person who runs the command something that is no data; where nobody listens, it is gone."""
    with suppress(OSError, ValueError):
        print(printable(text), file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """The same, so that it is not overlooked."""
    _console(sys.stderr).print(_text(f"warning: {text}", "bold yellow"), soft_wrap=True)


def tell_failure(failure: Failure) -> None:
    """Say why a command failed and what to do next."""
    console = _console(sys.stderr)
    console.print(_text(f"error: {failure.what}", "bold red"), soft_wrap=True)
    for name, text in (("why", failure.why), ("next", failure.next)):
        if text is not None:
            console.print(_text(f"  {name}: {text}"), soft_wrap=True)


def is_confirmed(question: str, *, yes: bool) -> bool:
    """Whether what cannot be undone may be done: by `--yes`, or by the person at the terminal."""
    import typer

    if yes:
        return True
    return is_terminal(sys.stdin) and is_terminal(sys.stderr) and typer.confirm(question, err=True)


@contextmanager
def progress(label: str) -> Iterator[Bar]:
    """A bar on stderr where that is a terminal; nothing elsewhere."""
    if not is_terminal(sys.stderr):
        yield Bar()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(sys.stderr), transient=True) as shown:
        task = shown.add_task(label, total=None)

        class Watched(Bar):
            """The bar on the screen."""

            def __call__(self, done: int, total: int) -> None:
                shown.update(task, completed=done, total=total or None)

            def stage(self, label: str, done: int, total: int) -> None:
                shown.update(task, description=label, completed=done, total=total or None)

        yield Watched()


def cell(value: object) -> str:
    """A value as a table shows it; a state `{value, since, ref}` by its value, an amount with its currency."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case {"value": inner, **_rest}:
            return cell(inner)
        case Mapping():
            return ", ".join(f"{name} {cell(inner)}" for name, inner in value.items())
        case list() | tuple():
            return ", ".join(cell(inner) for inner in value) or NOTHING
        case _:
            return str(value)


def printable(text: str) -> str:
    """Text that does nothing to a terminal but stand there."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _is_number(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, Mapping) and "amount" in value
    )


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(text), style=style)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, width=None if is_terminal(stream) else WIDE, highlight=False, markup=False, emoji=False)
