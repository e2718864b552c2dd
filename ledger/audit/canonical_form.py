"""Whether a leaf is in canonical form, asked of every leaf there is, and so mostly without leaving C.

The rule itself is `domain.canonical`'s and is asked wherever the short way does not say yes. The short way is exact
where it does: plain ASCII without an escape holds no text the rule refuses; whole numbers in range and no other pass
the decoder; and what an encoder that sorts keys writes again byte for byte had its keys sorted, each once, no blanks.
"""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec

from domain.canonical import INTEGER_MAX, is_canonical

DEPTH_MAX: Final = 6
"""How many objects and lists within each other the short way follows; events have fewer."""


def _plain(depth: int) -> Any:  # a type made while running has no type of its own
    flat = None | bool | Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)] | str
    if not depth:
        return flat
    inner = _plain(depth - 1)
    return flat | GenericAlias(list, (inner,)) | GenericAlias(dict, (str, inner))


_PLAIN: Final = msgspec.json.Decoder(_plain(DEPTH_MAX))
_SORTED: Final = msgspec.json.Encoder(order="sorted")


def has_canonical_form(data: bytes) -> bool:
    """Whether `data` is canonical JSON: `domain.canonical.is_canonical`, sooner."""
    if data.isascii() and b"\\" not in data and b"\x7f" not in data:
        try:
            if _SORTED.encode(_PLAIN.decode(data)) == data:
                return True
        except (msgspec.DecodeError, RecursionError):
            pass
    return is_canonical(data)
