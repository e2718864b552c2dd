"""What can have happened: one module a stream kind, and the one table of wire types that decodes them all."""

from __future__ import annotations

import msgspec

from domain.events import agreement, authority, epoch, facility, invoice, person, transfer
from domain.events.event import Body

BODIES: dict[str, type[Body]] = {
    body.wire: body
    for module in (epoch, authority, facility, agreement, person, transfer, invoice)
    for body in module.EVENTS
}
"""Wire type → body. Upcasters of later versions hang here too."""

_DECODERS = {wire: msgspec.json.Decoder(body) for wire, body in BODIES.items()}


def decode_body(wire: str, data: bytes | msgspec.Raw) -> Body:
    """Decode one stored body; raises `KeyError` for an unknown wire type, `msgspec.ValidationError` for a bad body."""
    return _DECODERS[wire].decode(data)
