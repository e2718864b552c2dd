"""Answers that are tables, as CSV (RFC 4180): the rows of the document, in its order, one column a field.

A field that is an object is a column for each of its own, `total.amount`; a list, or an object whose members are told
elsewhere, is one cell of JSON; where there is nothing to say, the cell is empty. The header is there without rows, too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec

from domain.canonical import encode_trusted
from ledger.http.answers.entities import Shape

CSV: Final = "text/csv"
Column = tuple[str, ...]
"""The names that lead to a cell, from the row on."""
_WHERE: Final = (("items",), ("statements", "rows"))
"""Where rows may stand in a document: under the first name, or, of each one there, under the second."""
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_FORMULA: Final = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r\n]")
"""How a text begins that a spreadsheet may reckon with, the wide forms of the signs among them."""


class Table(NamedTuple):
    """Where the rows of a document are, and their columns."""

    where: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return [".".join(column) for column in self.columns]


def table_of(shape: type) -> Table | None:
    """How an answer of that shape is a table; `None` where it is none."""
    for where in _WHERE:
        row: type | None = shape
        for name in where:
            row = _shape_in(_fields(row).get(name)) if row is not None else None
        if row is not None:
            return Table(where, tuple(_columns(row)))
    return None


def as_csv(table: Table, document: Mapping[str, Any]) -> str:
    """The rows of a document, below a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.header)
    writer.writerows([_cell(row, column) for column in table.columns] for row in _rows(document, table.where))
    return text.getvalue()


def _fields(shape: type) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(shape)}


def _shape_in(kind: Any) -> type | None:
    """The shape that a type is, or has among its parts: an optional one, or each item of a tuple."""
    found = (one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Shape))
    return next(found, None)


def _columns(shape: type) -> Iterator[Column]:
    for name, kind in _fields(shape).items():
        inner = _shape_in(kind)
        if inner is None or get_origin(kind) is tuple:
            yield (name,)
        else:
            yield from ((name, *rest) for rest in _columns(inner))


def _rows(document: Mapping[str, Any], where: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for one in document[where[0]]:
        if len(where) > 1:
            yield from _rows(one, where[1:])
        else:
            yield one


def _cell(row: Mapping[str, Any], column: Column) -> str:
    value: Any = row
    for name in column:
        value = value[name] if value is not None else None
    if value is None:
        return ""
    return _harmless(value) if isinstance(value, str) else encode_trusted(value).decode()


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: behind an apostrophe where it might; a number stays as it is."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
