"""Which of several media types an `Accept` header would rather have (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_QUALITY: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_FULL: Final = 1_000


def accepted(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that the header likes best; of equals one that it names, then the first.

    The first, too, where the header is empty; `None` where it likes none.
    """
    ranges = dict(_range(part) for part in accept.lower().split(",") if part.strip())

    def liking(offer: str) -> tuple[int, int]:
        for exactness, name in ((2, offer), (1, f"{offer.partition('/')[0]}/*"), (0, "*/*")):
            if name in ranges:
                return ranges[name], exactness
        return 0, 0

    best = max(offers, key=liking)
    return best if liking(best)[0] or not ranges else None


def preferred(accept: str, offers: Sequence[str]) -> str:
    """The same, and the first where the header likes none: an answer in another form says more than a refusal."""
    return accepted(accept, offers) or offers[0]


def _range(part: str) -> tuple[str, int]:
    """A media range and how much it is wanted, in thousandths; its other parameters are not looked at."""
    name, *parameters = [item.strip() for item in part.split(";")]
    for parameter in parameters:
        if found := _QUALITY.fullmatch(parameter):
            whole, _, fraction = found[1].partition(".")
            return name, int(whole) * _FULL + int(fraction.ljust(3, "0"))
    return name, _FULL
