"""What may be done next with an entity: a link for each command that might be granted, asked of the rules themselves.

A link is a hint to who looks at the entity, never a permission: the command is judged when it comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from fastapi import Request

from domain.events.event import Actor
from domain.rules.prospects import may_be_granted
from domain.rules.ruling import Call
from domain.rules.table import RULES
from ledger.http.answers.entities import Link
from ledger.http.asking import service_of
from ledger.http.commands.routes import PREFIX, ROUTES

_FIELD: Final = re.compile(r"\{(\w+)\}")


def links_of(request: Request, reader: Actor, field: str, id_: str, **within: str | None) -> dict[str, Link]:
    """A link for each command about the entity that the reader might be granted now, by the command's name.

    `field` is what commands call the id of the entity; `within` are ids inside it that an address may hold, too.
    """
    service = service_of(request)
    call = Call(by=reader, now=service.sources.now(), command_id="")
    ids = {field: id_, **{name: inner for name, inner in within.items() if inner is not None}}
    found: dict[str, Link] = {}
    for name, path in _about(field).items():
        held = {one: ids.get(one) for one in (field, *_FIELD.findall(path))}
        known = {one: value for one, value in held.items() if value is not None}
        if len(known) == len(held) and may_be_granted(RULES[name], service.writer.register, known, call):
            found[name] = Link(href=PREFIX + path.format_map(known))
    return found


@cache
def _about(field: str) -> Mapping[str, str]:
    """The addresses of the commands about what that field names: it stands in the address, or must be in the body."""
    return {name: path for path, name in ROUTES.items() if _is_about(field, path, name)}


def _is_about(field: str, path: str, name: str) -> bool:
    held = _FIELD.findall(path)
    if held:
        return field in held
    fields = RULES[name].command.model_fields
    return field in fields and fields[field].is_required()
