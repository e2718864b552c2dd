"""Lines: one generation of one view, live, being built or replaced, and how far it has come.

A line's position moves in the transaction that writes its rows. The same table says who serves: switching a view to
another generation is changing one column of two rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, cast

from projections.engine.instants import kept, read
from projections.engine.source import EventSource, Recorded
from projections.engine.tables import Session, Table, Value
from projections.engine.view import View

Role = Literal["live", "building", "retired"]

LINES: Final = Table(
    name="operations_lines",
    columns=(
        "view",
        "generation",
        "version",
        "role",
        "position",
        "leaf_hash",
        "parked",
        "skipped",
        "advanced_at",
        "rate",
        "lag",
        "lag_before",
        "marked_at",
        "marked_position",
        "marked_lag",
        "error",
        "error_position",
    ),
    key=("view", "generation"),
    integers=(
        "generation",
        "version",
        "position",
        "parked",
        "skipped",
        "rate",
        "lag",
        "lag_before",
        "marked_position",
        "marked_lag",
        "error_position",
    ),
)
OPERATIONS: Final = "operations_"
"""What the tables about the views begin with, that are no view's own."""
EARLIER_SHAPE: Final = "view_lines"
"""The lines of a database that an earlier version of this program made."""
WINDOW: Final = timedelta(seconds=2)
"""How long a line moves at least between two measures of its rate and its lag."""
TICK: Final = timedelta(milliseconds=1)

_COLUMNS: Final = ", ".join(LINES.columns)


class Point(NamedTuple):
    """A place in the log: a position, and the leaf hash of the event there."""

    position: int
    leaf_hash: str


class Line(NamedTuple):
    """One generation of one view. `leaf_hash` is that of the event at its position; `rate` is in events a second.

    `parked` and `skipped` count the events it has left out. `lag` is what it lagged when it last moved, `lag_before`
    a window or two earlier; the mark is where the present window began.
    """

    view: str
    generation: int
    version: int
    role: Role
    position: int = 0
    leaf_hash: str = ""
    parked: int = 0
    skipped: int = 0
    advanced_at: str | None = None
    rate: int = 0
    lag: int = 0
    lag_before: int = 0
    marked_at: str | None = None
    marked_position: int = 0
    marked_lag: int = 0
    error: str | None = None
    error_position: int | None = None

    @property
    def left_out(self) -> int:
        """How many events it has left out."""
        return self.parked + self.skipped

    def moved(self, to: Recorded | Point, *, began: datetime, ended: datetime, head: int) -> Line:
        """The line once it has come to an event, by work that took from one instant to the other."""
        line, lag = self, max(0, head - to.position)
        if self.marked_at is None or not self.lag:
            # It stood at the head, or has just begun: what it waited for is no part of its rate.
            behind = max(0, head - self.position)
            line = self._replace(
                marked_at=kept(began), marked_position=self.position, marked_lag=behind, lag_before=behind
            )
        assert line.marked_at is not None
        elapsed = max(ended - read(line.marked_at), TICK)
        line = line._replace(rate=int((to.position - line.marked_position) * timedelta(seconds=1) / elapsed))
        if elapsed >= WINDOW:
            line = line._replace(
                marked_at=kept(ended), marked_position=to.position, marked_lag=lag, lag_before=line.marked_lag
            )
        return line._replace(
            position=to.position,
            leaf_hash=to.leaf_hash,
            advanced_at=kept(ended),
            lag=lag,
            error=None,
            error_position=None,
        )


def names_of(view: View, generation: int) -> dict[str, str]:
    """Table name → its name in that generation."""
    return {table.name: table.named(generation) for table in view.tables}


def prepare(session: Session) -> None:
    """Make the table of lines where it is missing; the views that an earlier version drove are thrown away."""
    tables = session.tables()
    if EARLIER_SHAPE in tables:
        for name in tables:
            session.execute(f"DROP TABLE {name}")
    session.create(LINES, LINES.name)


def lines(session: Session) -> list[Line]:
    """Every line, whatever its role."""
    rows = session.select(f"SELECT {_COLUMNS} FROM operations_lines ORDER BY view, generation")
    return [_line(row) for row in rows]


def live_lines(session: Session) -> dict[str, Line]:
    """The line that serves each view."""
    return {line.view: line for line in lines(session) if line.role == "live"}


def building_lines(session: Session) -> dict[str, Line]:
    """The line that is being built for each view that has one."""
    return {line.view: line for line in lines(session) if line.role == "building"}


def hold(session: Session, view: str, generation: int) -> Line | None:
    """The line, kept where it is until the transaction ends; `None` if it is gone."""
    rows = session.hold(
        f"SELECT {_COLUMNS} FROM operations_lines WHERE view = ? AND generation = ?", (view, generation)
    )
    return _line(rows[0]) if rows else None


def is_of_log(source: EventSource, line: Line) -> bool:
    """Whether the line was made from this log: it has the event at the line's position."""
    if not line.position:
        return True
    stored = source.stored(line.position)
    return stored is not None and stored.leaf_hash == line.leaf_hash


def serves(session: Session, line: Line) -> bool:
    """Whether the line is a live one."""
    sql = "SELECT 1 FROM operations_lines WHERE view = ? AND generation = ? AND role = 'live'"
    return bool(session.select(sql, (line.view, line.generation)))


def begin(session: Session, view: View, role: Role) -> Line:
    """A new line at position 0 with empty tables."""
    rows = session.select("SELECT max(generation) FROM operations_lines WHERE view = ?", (view.name,))
    generation = (cast("int | None", rows[0][0]) or 0) + 1
    for table in view.tables:
        session.create(table, table.named(generation))
    line = Line(view.name, generation, view.version, role)
    marks = ", ".join("?" * len(line))
    session.execute(f"INSERT INTO operations_lines ({_COLUMNS}) VALUES ({marks})", cast("tuple[Value, ...]", line))
    return line


def record(session: Session, line: Line) -> None:
    """Record where the line has come to, and how."""
    key = (line.view, line.generation)
    said = ", ".join(f"{column} = ?" for column in LINES.columns[2:])
    sql = f"UPDATE operations_lines SET {said} WHERE view = ? AND generation = ?"
    session.execute(sql, (*cast("tuple[Value, ...]", line[2:]), *key))


def switch(session: Session, old: Line, new: Line) -> None:
    """Let another generation serve from the end of this transaction on."""
    _give(session, old, "retired")
    _give(session, new, "live")


def retire(session: Session, line: Line) -> None:
    """Let a line serve, or be built, no longer; its tables stay until they are dropped."""
    _give(session, line, "retired")


def tables_of(session: Session, line: Line) -> list[str]:
    """The tables of a line, whatever an earlier version gave it."""
    ending = f"__{line.generation}"
    return sorted(name for name in session.tables() if name.startswith(f"{line.view}_") and name.endswith(ending))


def forget(session: Session, line: Line) -> None:
    """Remove a line whose tables are dropped."""
    session.execute("DELETE FROM operations_lines WHERE view = ? AND generation = ?", (line.view, line.generation))


def _give(session: Session, line: Line, role: Role) -> None:
    sql = "UPDATE operations_lines SET role = ? WHERE view = ? AND generation = ?"
    session.execute(sql, (role, line.view, line.generation))


def _line(row: tuple[Value, ...]) -> Line:
    return Line._make(cast("tuple[str, int, int, Role, int]", row))
