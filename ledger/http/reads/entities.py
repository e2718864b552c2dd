"""Lists of what the register has, in the order of their ids, and one entity with its version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request, Response

from domain.refusals import (
    AgreementIsUnknown,
    AuthorityIsUnknown,
    FacilityIsUnknown,
    PersonIsUnknown,
    TransferIsUnknown,
)
from domain.register import Register
from ledger.http.asking import at_head, page
from ledger.http.paging import Asked

T = TypeVar("T")

_UNKNOWN = {
    "authority": AuthorityIsUnknown,
    "facility": FacilityIsUnknown,
    "agreement": AgreementIsUnknown,
    "person": PersonIsUnknown,
    "transfer": TransferIsUnknown,
}


def require_known(register: Register, **filters: str | None) -> None:
    """Refuse a filter that names what is in no register: an empty list would be the wrong answer.

    Each is given by its kind, or as `KIND_what` where one list has two of a kind.
    """
    for name, id_ in filters.items():
        kind = name.partition("_")[0]
        if id_ is not None and not register.knows(kind, id_):
            raise _UNKNOWN[kind](id_)


def was_known(register: Register, kind: str, id_: str, position: int) -> bool:
    """Whether an id of that kind had been recorded by that position."""
    first = register.recorded_first(kind, id_)
    return first is not None and first <= position


def has_moved(register: Register, person: str, stream: str) -> bool:
    """Whether anything about the person was recorded after the last event of that stream, which its version counts."""
    file = register.person(person)
    return file is not None and file.events[-1].stream != stream


def listed(
    request: Request,
    asked: Asked[Any],
    kind: str,
    look_up: Callable[[Register, str], T | None],
    shown: Callable[[T], object],
) -> Response:
    """A page of the entities of that kind that `look_up` finds, each as it stands when it is looked up.

    The register is held still for the list of ids alone: a filter may pass over many, and nobody's command waits for
    that. A further page names nothing that was recorded after the first: so nobody is named twice, and nobody is left
    out who was there all the time.
    """
    limit, after, first = asked.query.limit, asked.text_after(), asked.position
    found: list[tuple[str, T]] = []
    with at_head(request, asked.query, first) as register:
        position, ids = register.position, register.ids(kind)
    for id_ in ids:
        if after is not None and id_ <= after:
            continue
        if first and not was_known(register, kind, id_, first):
            continue
        item = look_up(register, id_)
        if item is not None:
            found.append((id_, item))
            if len(found) > limit:
                break
    items: Sequence[object] = [shown(item) for _, item in found[:limit]]
    return page(asked, items, found[limit - 1][0] if len(found) > limit else None, position)
