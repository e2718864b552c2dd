"""The names this service goes by: a request that was sent to another one is not answered (TRUST §14.6).

A page of somebody else's can have its own name lead to this machine, and a browser then lets it speak to us as to
itself. It cannot help sending that name. An address of digits is nobody's name, so it is always taken.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

OWN_NAME: Final = "localhost"
HOSTS_KEPT: Final = 1_024
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:\d{1,5})?", re.ASCII)


class TrustedHosts:
    """What `Host` may say: an address, `localhost`, or one of `names`, which have commas between; with any port."""

    def __init__(self, names: str = "") -> None:
        self._names = frozenset({OWN_NAME, *(name.strip().lower() for name in names.split(",") if name.strip())})
        self.trusts = lru_cache(HOSTS_KEPT)(self._trusts)

    def _trusts(self, host: bytes | None) -> bool:
        """Whether a request to that host is ours; one without a name was led here by none."""
        if host is None:
            return True
        found = _HOST.fullmatch(host.decode("latin-1").lower())
        return found is not None and (found[1] in self._names or _is_address(found[1]))


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
