"""Tables of a view, and the hands that write and read one generation of them.

A view's tables carry their generation in their names, so that a new one is built beside the live one. SQL names them
in braces, `{roll_placements}`, and takes parameters as `?`; it keeps to what both engines understand. A column is a
text or an integer: instants are texts of one width, so that their order is that of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

Value = str | int | None
Row = tuple[Value, ...]

NAMES_PER_QUERY: Final = 500
"""How many values one `IN (…)` takes; more are asked for in several queries."""


class Session(Protocol):
    """One transaction on the views' database."""

    def select(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """The rows of a query."""

    def each(self, sql: str) -> Iterator[Row]:
        """The rows of a query one by one, however many there are."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        """Run one statement."""

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row of parameters."""

    def insert(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        """Add rows to the table under that name."""

    def put(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        """Add rows with keys of their own to the table under that name, each in the place of one with the same key."""

    def delete(self, name: str, column: str, values: Sequence[str]) -> None:
        """Remove the rows that have one of the values in a column."""

    def create(self, table: Table, name: str) -> None:
        """Make an empty table and its indexes under that name."""

    def tables(self) -> set[str]:
        """The names of all tables."""

    def hold(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """The rows of a query, kept from other writers until the transaction ends."""


class Deferred:
    """A session that reads in one transaction and keeps what is to be written for another; no read sees it before."""

    def __init__(self, reading: Session) -> None:
        self._reading = reading
        self._writes: list[Callable[[Session], None]] = []

    def write(self, session: Session) -> None:
        """Write all of it, in the order in which it came."""
        for write in self._writes:
            write(session)

    def select(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return self._reading.select(sql, parameters)

    def each(self, sql: str) -> Iterator[Row]:
        return self._reading.each(sql)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        self._writes.append(lambda session: session.execute(sql, parameters))

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        self._writes.append(lambda session: session.execute_many(sql, rows))

    def insert(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        self._writes.append(lambda session: session.insert(table, name, rows))

    def put(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        self._writes.append(lambda session: session.put(table, name, rows))

    def delete(self, name: str, column: str, values: Sequence[str]) -> None:
        self._writes.append(lambda session: session.delete(name, column, values))

    def create(self, table: Table, name: str) -> None:
        self._writes.append(lambda session: session.create(table, name))

    def tables(self) -> set[str]:
        return self._reading.tables()

    def hold(self, _sql: str, _parameters: Sequence[Value] = ()) -> list[Row]:
        raise AssertionError("what is to be held is held by the transaction that writes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: its whole name begins with the view's. Columns are text but for `integers`.

    `refs` are those that hold positions: the events behind a row. A row whose `rises` is no higher is not put in the
    place of another.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    integers: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    refs: tuple[str, ...] = ()
    rises: str | None = None

    def named(self, generation: int) -> str:
        """Its name in one generation."""
        return f"{self.name}__{generation}"


class Generation:
    """The tables of some views, each at one generation, read within one transaction."""

    def __init__(self, session: Session, names: Mapping[str, str]) -> None:
        self.session = session
        self.names = names

    def select(self, sql: str, *parameters: Value) -> list[Row]:
        """The rows of a query over the tables in braces."""
        return self.session.select(sql.format_map(self.names), parameters)

    def select_among(self, sql: str, values: Iterable[str], *parameters: Value) -> Iterator[Row]:
        """The rows of a query whose `IN ({marks})` takes any number of values; further parameters come after it."""
        for some in _parts(values):
            marks = ", ".join("?" * len(some))
            yield from self.session.select(sql.format_map({**self.names, "marks": marks}), (*some, *parameters))


class Rows(Generation):
    """The same, to write to."""

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, their values in the order of the table's columns."""
        if rows:
            self.session.insert(table, self.names[table.name], rows)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, each in the place of one with the same key."""
        if rows:
            self.session.put(table, self.names[table.name], rows)

    def replace(self, table: Table, column: str, values: Sequence[str], rows: Sequence[Row]) -> None:
        """Put rows in the place of all that have one of the values in that column; others must not have any so far."""
        if values:
            self.session.delete(self.names[table.name], column, values)
        self.insert(table, rows)

    def execute_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one statement over the tables in braces for each row of parameters."""
        if rows:
            self.session.execute_many(sql.format_map(self.names), rows)


def insertion(table: Table, name: str) -> str:
    """The statement that adds one row to the table under that name."""
    return f"INSERT INTO {name} ({', '.join(table.columns)}) VALUES ({', '.join('?' * len(table.columns))})"


def instead(table: Table, name: str) -> str:
    """What an insertion ends with to put its rows in the place of those with the same key, under that name."""
    changed = ", ".join(f"{column} = excluded.{column}" for column in table.columns if column not in table.key)
    if not changed:
        return f"ON CONFLICT ({', '.join(table.key)}) DO NOTHING"
    higher = f" WHERE excluded.{table.rises} > {name}.{table.rises}" if table.rises is not None else ""
    return f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changed}{higher}"


def _parts(values: Iterable[str]) -> Iterator[tuple[str, ...]]:
    remaining = iter(values)
    while some := tuple(islice(remaining, NAMES_PER_QUERY)):
        yield some
