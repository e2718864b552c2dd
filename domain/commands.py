"""What a command looks like from outside: strict fields, closed lists, times with their offset.

Each act's module defines its command from the types here. Everything wrong with a body is found at once; what is
reported names the place and never repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from itertools import takewhile
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.events.event import Body
from domain.money import AmountFault, Money, exponent_of, read_amount, read_rate
from domain.refusals import (
    AmountIsMalformed,
    AmountIsNotText,
    AmountIsOutOfRange,
    AmountIsTooPrecise,
    BodyIsMalformed,
    CodeIsNotListed,
    CurrencyIsUnknown,
    Refusal,
    TimeHasNoOffset,
)

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
MAX_INTEGER = 2**53 - 1


def read_time(value: object) -> datetime:
    """The instant an RFC 3339 text with its offset says; raises what pydantic reports."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("time", "not an RFC 3339 time")
    if match[2] is None:
        raise PydanticCustomError("time-has-no-offset", "a time without offset")
    try:
        moment = datetime.fromisoformat(match[0])
    except ValueError:
        raise PydanticCustomError("time", "not a time") from None
    if not _EARLIEST <= moment <= _LATEST:
        raise PydanticCustomError("time", "a time no zone's calendar can be asked about")
    return moment


_EARLIEST = datetime.fromisoformat("1000-01-01T00:00:00Z")
_LATEST = datetime.fromisoformat("9998-12-31T00:00:00Z")


def _date(value: object) -> date:
    if type(value) is date:
        return value
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise PydanticCustomError("date", "not a civil date")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("date", "not a civil date") from None
    if not _EARLIEST.date() <= day <= _LATEST.date():
        raise PydanticCustomError("date", "a date no zone's calendar can be asked about")
    return day


def code_list(*codes: str) -> AfterValidator:
    """A closed list: anything else is `code-is-not-listed`."""
    listed = frozenset(codes)

    def check(value: str) -> str:
        if value not in listed:
            raise PydanticCustomError("code-is-not-listed", "a code that is not listed")
        return value

    return AfterValidator(check)


def _text_amount(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise PydanticCustomError("amount-is-not-text", "an amount is a text")
    return value


def _currency(value: str) -> str:
    try:
        exponent_of(value)
    except AmountFault as fault:
        raise PydanticCustomError(fault.code, "an amount that cannot be read") from None
    return value


def _rate(value: str) -> str:
    try:
        read_rate(value)
    except AmountFault as fault:
        raise PydanticCustomError(fault.code, "an amount that cannot be read") from None
    return value


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", strict=True)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]
Sealed = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$", strict=True)]
LeafHash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$", strict=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, strict=True)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", strict=True)]
"""A code whose list is open or not held here."""
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$", strict=True)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER, strict=True)]
Positive = Annotated[int, Field(ge=1, le=MAX_INTEGER, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Time = Annotated[datetime, BeforeValidator(read_time)]
CivilDate = Annotated[date, BeforeValidator(_date)]
CurrencyCode = Annotated[str, Field(strict=True), AfterValidator(_currency)]
RateText = Annotated[str, Field(strict=True), BeforeValidator(_text_amount), AfterValidator(_rate)]
"""A price: a decimal text of at most 8 decimals, which may be negative."""


class Value(BaseModel):
    """A strict, frozen part of a command."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AmountIn(Value):
    """An amount as it comes from outside: a decimal text and its currency (MONEY §2)."""

    amount: Annotated[str, Field(strict=True), BeforeValidator(_text_amount)]
    currency: CurrencyCode

    @model_validator(mode="before")
    @classmethod
    def _no_bare_number(cls, value: object) -> object:
        return _text_amount(value)

    def model_post_init(self, _context: object) -> None:
        """Read it once here, so that what stands in a command is money."""
        try:
            read_amount(self.amount, self.currency)
        except AmountFault as fault:
            raise PydanticCustomError(fault.code, "an amount that cannot be read") from None

    @property
    def money(self) -> Money:
        """The same, in minor units."""
        return read_amount(self.amount, self.currency)


class Command(Value):
    """What an actor asks for: the event's body less what the server computes, and when it happened.

    `name` is its wire name. `occurred_at` left out means now, save where a subclass requires it.
    """

    name: ClassVar[str]
    occurred_at: Time | None = None
    precision: Literal["minute", "day"] | None = None

    def when(self, now: datetime) -> datetime:
        """The instant the command is about."""
        return self.occurred_at if self.occurred_at is not None else now


class DatedCommand(Command):
    """A field fact, or a claim that may not precede the person's last fact: it must say when."""

    occurred_at: Time


class DualCommand(DatedCommand):
    """Granted as a claim or recorded as a report; `inferred` marks a report its source does not state."""

    mode: Annotated[str, code_list("claim", "report")] = "claim"
    inferred: Flag | None = None

    def model_post_init(self, _context: object) -> None:
        """A claim states a fact itself, so nothing about it can be inferred."""
        if self.inferred and self.mode == "claim":
            raise PydanticCustomError("inferred", "only a report may be inferred")


CommandType = TypeVar("CommandType", bound=Command)
BodyType = TypeVar("BodyType", bound=Body)


def parse(kind: type[CommandType], data: object) -> CommandType:
    """Read a command from gated JSON; raises an edge refusal: `BodyIsMalformed` or one of `_EDGE`."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise edge_refusal([(item["type"], item["loc"]) for item in found]) from None


_EDGE = {
    kind.code: kind
    for kind in (
        CodeIsNotListed,
        TimeHasNoOffset,
        AmountIsNotText,
        AmountIsTooPrecise,
        AmountIsMalformed,
        CurrencyIsUnknown,
        AmountIsOutOfRange,
    )
}
"""Code of an error → the refusal it is, in the order in which they are told."""
MAX_PLACES_NAMED = 20


def edge_refusal(found: Sequence[tuple[str, Sequence[int | str]]]) -> Refusal:
    """The first edge refusal that applies, a malformed body before those of `_EDGE` in their order.

    `found` lists what pydantic met: the kind of the error and where it is.
    """
    places: dict[str, list[str]] = {}
    for kind, place in found:
        code = "code-is-not-listed" if kind == "literal_error" else kind
        # A name that is somebody's input is not given back; the object that has it is named instead.
        path = place[:-1] if kind == "extra_forbidden" else place
        parts = [str(part) for part in takewhile(_is_ours, path)]
        places.setdefault(code if code in _EDGE else "schema", []).append("/" + "/".join(parts))
    code = next(code for code in ("schema", *_EDGE) if code in places)
    where = tuple(dict.fromkeys(places[code]))[:MAX_PLACES_NAMED]
    return BodyIsMalformed("schema", where) if code == "schema" else _EDGE[code](where)


def _is_ours(part: int | str) -> bool:
    return isinstance(part, int) or _FIELD.fullmatch(part) is not None


@cache
def _shared(kind: type[Body], command: type[Command]) -> tuple[tuple[str, str], ...]:
    """The fields a body takes from a command: name on the wire, and name in both; those of the envelope apart."""
    named = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    return tuple((wire, name) for wire, name in named if name in command.model_fields.keys() - _ENVELOPE)


_ENVELOPE = {"occurred_at", "inferred"}


def body_of(kind: type[BodyType], ask: Command, **computed: object) -> BodyType:
    """The body a command turns into: its fields that the body has, and what the server computes beside them."""
    fields: dict[str, object] = {"flags": ()}
    for wire, name in _shared(kind, type(ask)):
        value = getattr(ask, name)
        if value is not None:
            fields[wire] = value
    fields.update(computed)
    return msgspec.convert(fields, kind, from_attributes=True)
