"""Values as they are typed after a flag, read as strictly as in a command's body: a time has its offset, always."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from ledger.cli.exits import CommandFailed, usage

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
ID_RULE: Final = "an id has small letters, digits and hyphens, at most 64, and begins with no hyphen"


def is_id(text: str) -> bool:
    """Whether a text may be an id (API §1)."""
    return _ID.fullmatch(text) is not None


def instant(flag: str, text: str) -> datetime:
    """A time with its offset."""
    from pydantic import TypeAdapter, ValidationError

    from domain.commands import Time

    try:
        read: datetime = TypeAdapter(Time).validate_python(text)
    except ValidationError as error:
        has_none = error.errors()[0]["type"] == "time-has-no-offset"
        why = "it has no offset from UTC" if has_none else "it is no time"
        raise _wrong(flag, text, why, "2025-03-01T10:00:00+01:00 or 2025-03-01T09:00:00Z") from None
    return read


def day(flag: str, text: str) -> date:
    """A civil date."""
    from pydantic import TypeAdapter, ValidationError

    from domain.commands import CivilDate

    try:
        read: date = TypeAdapter(CivilDate).validate_python(text)
    except ValidationError:
        raise _wrong(flag, text, "it is no date", "2025-03-01") from None
    return read


def position(flag: str, text: str) -> int:
    """A position in the log, or 0 for what was before it."""
    if not is_number(text):
        raise _wrong(flag, text, "it is no position", "24")
    return int(text)


def known_at(flag: str, text: str) -> int | datetime:
    """A position, or an instant for the last position recorded by then."""
    return int(text) if is_number(text) else instant(flag, text)


def code(_flag: str, text: str) -> str:
    """An id or a code, as it stands."""
    return text


def status(flag: str, text: str) -> str:
    """A status of custody (DOMAIN §4.4)."""
    from typing import get_args

    from domain.custody.state import Status

    return _one_of(flag, text, get_args(Status))


def file(flag: str, text: str) -> str:
    """Whether a person's file is open."""
    return _one_of(flag, text, ("open", "closed"))


def currency(flag: str, text: str) -> str:
    """The code of a currency that circulates."""
    from pydantic import TypeAdapter, ValidationError

    from domain.commands import CurrencyCode

    try:
        read: str = TypeAdapter(CurrencyCode).validate_python(text)
    except ValidationError:
        raise _wrong(flag, text, "no currency has that code", "EUR") from None
    return read


def _one_of(flag: str, text: str, listed: tuple[str, ...]) -> str:
    if text not in listed:
        raise usage(f"{flag} can't be {text!r}", next_=f"use one of: {', '.join(listed)}")
    return text


def is_number(text: str) -> bool:
    """Whether a text is a plain number, small enough for a position."""
    return text.isascii() and text.isdecimal() and len(text) < 17


Read = Callable[[str, str], object]
"""Reads the text after a flag; the flag is named in what it raises."""


def filters_of(view: str, known: Mapping[str, Read], given: list[str]) -> dict[str, str]:
    """`--name value` and `--name=value` pairs by the view's filters; one it does not have is a wrong call."""
    found: dict[str, str] = {}
    rest = iter(given)
    for argument in rest:
        flag, equals, text = argument.partition("=")
        name = flag.removeprefix("--")
        if not flag.startswith("--") or name not in known:
            listed = ", ".join(f"--{filter_}" for filter_ in known)
            raise usage(f"the view {view} has no filter {flag}", next_=f"use one of its filters: {listed}")
        value = text if equals else next(rest, None)
        if value is None:
            raise usage(f"{flag} needs a value")
        if name in found:
            raise usage(f"{flag} is given twice")
        found[name] = value
    return found


def _wrong(flag: str, text: str, why: str, like: str) -> CommandFailed:
    return usage(f"{flag} can't be {text!r}", why=why, next_=f"write it like {like}")
