"""Cursors: where a list goes on, as a text that carries the question along with the place.

Whoever has a cursor needs nothing else: filters, the last key, the position and the instant the first page spoke for.
A cursor is no secret and no proof; what is in it is checked like a query, and it is refused on any other address.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from pydantic import Field, ValidationError
from starlette.requests import Request

from domain.commands import MAX_INTEGER, Value, read_time
from domain.refusals import BodyIsMalformed

LIMIT_MAX = 500
LIMIT = 100
CURSOR_LENGTH_MAX = 2_000

Position = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]
"""Text as an engine takes it to compare: PostgreSQL takes none with a zero in it."""
Key = str | int | tuple[str, ...]


class Query(Value):
    """The query of any read: a name it does not know is refused, and the least position it must speak for."""

    min_position: Position = Field(0, description="The answer must speak for this position or a later one.")


class ListQuery(Query):
    """The query of a list."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT
    cursor: Annotated[str, Field(min_length=1, max_length=CURSOR_LENGTH_MAX)] | None = Field(
        None, description="The `next` of the page before; it carries that page's filters."
    )


_OF_THE_PAGE = {"limit", "cursor", "min_position"}
Q = TypeVar("Q", bound=ListQuery)


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a cursor's text holds. `position` and `as_of` are what the first page spoke for."""

    path: str
    filters: dict[str, str | int | bool]
    after: Text | int | tuple[Text, ...]
    position: int
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q]):
    """A list as it is asked for: its filters, and on a further page where that begins."""

    path: str
    query: Q
    cursor: Cursor | None

    @property
    def after(self) -> Key | None:
        """The key of the last item of the page before."""
        return self.cursor.after if self.cursor is not None else None

    @property
    def position(self) -> int:
        """What the first page spoke for; 0 where this is the first."""
        return self.cursor.position if self.cursor is not None else 0

    def text_after(self) -> str | None:
        """`after` of a list in the order of a text; a cursor that holds anything else is refused."""
        if self.after is None or isinstance(self.after, str):
            return self.after
        raise _malformed()

    def number_after(self) -> int | None:
        """`after` of a list in the order of positions: never one beyond what the first page spoke for."""
        if self.after is None or (isinstance(self.after, int) and 0 <= self.after <= self.position):
            return self.after
        raise _malformed()

    def instant_after(self) -> tuple[str, str] | None:
        """`after` of a list in the order of an instant and a text."""
        match self.after:
            case None:
                return None
            case (instant, text) if _is_time(instant):
                return instant, text
            case _:
                raise _malformed()

    def next(self, after: object, position: int, as_of: datetime | None = None) -> str:
        """The text of the cursor behind an item whose key is `after`."""
        first = self.cursor
        cursor = Cursor(
            path=self.path,
            filters=_filters(self.query),
            after=tuple(after) if isinstance(after, list | tuple) else _scalar(after),
            position=first.position if first is not None else position,
            as_of=first.as_of if first is not None else as_of,
        )
        return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode("ascii").rstrip("=")

    def link(self, cursor: str) -> str:
        """The `Link` header to the next page (RFC 8288)."""
        return f'<{self.path}?{urlencode({"limit": self.query.limit, "cursor": cursor})}>; rel="next"'


def _scalar(after: object) -> str | int:
    assert isinstance(after, str | int)
    return after


def asked(request: Request, query: Q) -> Asked[Q]:
    """Read the cursor, if there is one; its filters need not be said again, and must not be said otherwise."""
    path = request.url.path
    if query.cursor is None:
        return Asked(path, query, None)
    cursor = _read(query.cursor)
    given = _filters(query, only_given=True)
    if cursor.path != path or not given.items() <= cursor.filters.items():
        raise _malformed()
    page = query.model_dump(include=_OF_THE_PAGE)
    try:
        return Asked(path, type(query).model_validate({**cursor.filters, **page}), cursor)
    except ValidationError:
        raise _malformed() from None


def _filters(query: ListQuery, *, only_given: bool = False) -> dict[str, str | int | bool]:
    dumped = query.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude=_OF_THE_PAGE, exclude_unset=only_given
    )
    return dict(dumped)


def _read(text: str) -> Cursor:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(data, type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _malformed() from None
    if not 0 <= cursor.position <= MAX_INTEGER or not (cursor.as_of is None or _is_time(cursor.as_of.isoformat())):
        raise _malformed()
    return cursor


def _is_time(text: str) -> bool:
    """Whether it is a time as a query may name one."""
    try:
        read_time(text)
    except ValueError:
        return False
    return True


def _malformed() -> BodyIsMalformed:
    return BodyIsMalformed("schema", ("/cursor",))
