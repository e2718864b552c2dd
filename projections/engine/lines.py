"""Lines: one generation of one view, live or being built, and how far it has come.

A line's position moves in the transaction that writes its rows. The same table says who serves: switching a view to
another generation is changing one column.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from projections.engine.tables import Session, Table, Value
from projections.engine.view import View

LINES: Final = Table(
    name="view_lines",
    columns=(
        "view",
        "generation",
        "version",
        "is_live",
        "position",
        "leaf_hash",
        "advanced_at",
        "rate",
        "lag_before",
        "lag_after",
        "error",
        "error_position",
    ),
    key=("view", "generation"),
    integers=("generation", "version", "is_live", "position", "rate", "lag_before", "lag_after", "error_position"),
)
_COLUMNS: Final = ", ".join(LINES.columns)


class Line(NamedTuple):
    """One generation of one view. `leaf_hash` is that of the event at its position; `rate` is in events a second."""

    view: str
    generation: int
    version: int
    is_live: int
    position: int
    leaf_hash: str
    advanced_at: str | None
    rate: int
    lag_before: int
    lag_after: int
    error: str | None
    error_position: int | None


def names_of(view: View, generation: int) -> dict[str, str]:
    """Table name → its name in that generation."""
    return {table.name: table.named(generation) for table in view.tables}


def prepare(session: Session) -> None:
    """Make the table of lines where it is missing."""
    session.create(LINES, LINES.name)


def lines(session: Session) -> list[Line]:
    """Every line, live ones and those being built."""
    rows = session.select(f"SELECT {_COLUMNS} FROM view_lines ORDER BY view, generation")
    return [_line(row) for row in rows]


def live_lines(session: Session) -> dict[str, Line]:
    """The line that serves each view."""
    return {line.view: line for line in lines(session) if line.is_live}


def hold(session: Session, view: str, generation: int) -> Line | None:
    """The line, kept where it is until the transaction ends; `None` if it is gone."""
    rows = session.hold(f"SELECT {_COLUMNS} FROM view_lines WHERE view = ? AND generation = ?", (view, generation))
    return _line(rows[0]) if rows else None


def begin(session: Session, view: View, *, is_live: bool) -> Line:
    """A new line at position 0 with empty tables."""
    rows = session.select("SELECT max(generation) FROM view_lines WHERE view = ?", (view.name,))
    generation = (cast("int | None", rows[0][0]) or 0) + 1
    for table in view.tables:
        session.create(table, table.named(generation))
    line = Line(view.name, generation, view.version, int(is_live), 0, "", None, 0, 0, 0, None, None)
    marks = ", ".join("?" * len(line))
    session.execute(f"INSERT INTO view_lines ({_COLUMNS}) VALUES ({marks})", cast("tuple[Value, ...]", line))
    return line


def advance(session: Session, line: Line) -> None:
    """Record where the line has come to."""
    session.execute(
        "UPDATE view_lines SET position = ?, leaf_hash = ?, advanced_at = ?, rate = ?, lag_before = ?, lag_after = ?, "
        "error = NULL, error_position = NULL WHERE view = ? AND generation = ?",
        (
            line.position,
            line.leaf_hash,
            line.advanced_at,
            line.rate,
            line.lag_before,
            line.lag_after,
            line.view,
            line.generation,
        ),
    )


def note_error(session: Session, line: Line, position: int, error: str) -> None:
    """Record the event that stopped the line, and why."""
    session.execute(
        "UPDATE view_lines SET error = ?, error_position = ? WHERE view = ? AND generation = ?",
        (error, position, line.view, line.generation),
    )


def switch(session: Session, old: Line, new: Line) -> None:
    """Let another generation serve from the end of this transaction on."""
    sql = "UPDATE view_lines SET is_live = ? WHERE view = ? AND generation = ?"
    session.execute(sql, (0, old.view, old.generation))
    session.execute(sql, (1, new.view, new.generation))


def retire(session: Session, line: Line) -> None:
    """Let a line serve no longer; its tables stay until they are dropped."""
    sql = "UPDATE view_lines SET is_live = 0 WHERE view = ? AND generation = ?"
    session.execute(sql, (line.view, line.generation))


def tables_of(session: Session, line: Line) -> list[str]:
    """The tables of a line, whatever an earlier version gave it."""
    ending = f"__{line.generation}"
    return sorted(name for name in session.tables() if name.startswith(f"{line.view}_") and name.endswith(ending))


def forget(session: Session, line: Line) -> None:
    """Remove a line whose tables are dropped."""
    session.execute("DELETE FROM view_lines WHERE view = ? AND generation = ?", (line.view, line.generation))


def _line(row: tuple[Value, ...]) -> Line:
    return Line(*cast("tuple[str, int, int, int, int, str, str, int, int, int, str, int]", row))
