"""Asking a running server whether it is ready, as a container's health check or a load balancer does."""

from __future__ import annotations

import json
from typing import Final

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.options import AsJson, Host, Port, settings_of
from ledger.cli.terminal import show_document, show_lines

ANSWER_SECONDS: Final = 5
"""How long the server may take: readiness asks the database, which answers within four seconds or is unreachable."""
ANSWER_BYTES_MAX: Final = 65_536
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # asked, not listened on
"""A server that listens on every address is asked on this machine's own."""


def healthcheck(host: Host = None, port: Port = None, as_json: AsJson = False) -> None:
    """Ask the server at host and port whether it is ready: ends with 0 if it is, with 5 if not or if nobody answers.

    A server whose views lag is ready: it records, and says `degraded`.
    """
    settings = settings_of(host=host, port=port)
    if not settings.port:
        raise usage("port 0 is no server's port", next_="custody healthcheck --port 8000, as the server was given")
    name = EVERYWHERE.get(settings.host, settings.host)
    address = f"http://[{name}]:{settings.port}" if ":" in name else f"http://{name}:{settings.port}"
    answer = _answer(address)
    if as_json:
        show_document(answer)
    if answer.get("status") not in ("ready", "degraded"):
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"the server at {address} is not ready: {answer.get('code', 'its answer is no readiness')}",
            why=str(answer["detail"]) if "detail" in answer else None,
            next_="custody doctor",
        )
    if not as_json:
        show_lines([f"{answer['status']}, at position {answer.get('position')}"])


def _answer(address: str) -> dict[str, object]:
    """What the server says of its readiness, a problem document included; raises `CommandFailed` if it is silent."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    try:
        # A proxy of the environment is for the world outside, not for the server next door.
        with build_opener(ProxyHandler({})).open(f"{address}/health/ready", timeout=ANSWER_SECONDS) as answer:
            return _document(answer.read(ANSWER_BYTES_MAX))
    except HTTPError as refused:
        with refused:
            return {**_document(refused.read(ANSWER_BYTES_MAX)), "status": None}
    except (OSError, HTTPException) as error:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"no server answers at {address}",
            why=str(getattr(error, "reason", error)) or type(error).__name__,
            next_="custody serve, or give the --host and --port that it was given",
        ) from error


def _document(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
