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


def listed(
    request: Request,
    asked: Asked[Any],
    kind: str,
    look_up: Callable[[Register, str], T | None],
    shown: Callable[[T], object],
) -> Response:
    """A page of the entities of that kind that `look_up` finds; `shown` is called once the register is let go.

    A further page names nothing that was recorded after the first: so nobody is named twice, and nobody is left out
    who was there all the time.
    """
    limit, after, cursor = asked.query.limit, asked.text_after(), asked.cursor
    found: list[tuple[str, T]] = []
    with at_head(request, asked.query, cursor.position if cursor is not None else 0) as register:
        position = register.position
        for id_ in register.ids(kind):
            if after is not None and id_ <= after:
                continue
            if cursor is not None and register.origins(kind, id_)[0].position > cursor.position:
                continue
            item = look_up(register, id_)
            if item is not None:
                found.append((id_, item))
                if len(found) > limit:
                    break
    items: Sequence[object] = [shown(item) for _, item in found[:limit]]
    return page(asked, items, found[limit - 1][0] if len(found) > limit else None, position)
