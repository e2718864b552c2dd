"""Ports for what must know its own before it listens."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Final

PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to whoever asks for any, so that nobody gets one that is kept for later."""


def free_port() -> int:
    """A port that nobody listens on now, and that hardly anybody takes before it is listened on."""
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
