"""What refusing costs: each hostile body sent to a server, its time and how far the server's memory grew by it.

A refusal takes 50 ms and 5 MB at most (TRUST §13.11). `measure` answers the rows; `python -m bench.gate` prints them.
The vectors lie beside the checkout; those that are not there are not measured.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from select import select
from time import perf_counter
from typing import Any, Final

import msgspec

from bench.goals import Result
from bench.ground import prepare
from bench.over_http import awake, running
from bench.places import folder
from domain.strict_json import COMMAND_BYTES_MAX
from tests.shared_data import OWN, SHARED_CASES, body_of

MS_MAX: Final = 50.0
MB_MAX: Final = 5.0
ROUNDS: Final = 3
SLOWEST: Final = "slowest refusal of a hostile body: ms"
GREATEST: Final = "greatest growth of memory by a hostile body: MB"
UNTOLD: Final = "growth of memory by a batch that is too long and does not say so: MB"
"""A batch may have 8 MiB, so that much is held before it is known to have more: the limit is what stands in the way."""
PIECE: Final = 65_536
PATIENCE: Final = 30
IN_CHUNKS: Final = ", in chunks"
KIB: Final = 1024
RESET_PEAK: Final = "5"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One body: how long each round took, how far the peak of the server's memory rose above what it held before."""

    vector: str
    is_batch: bool
    status: int
    ms: list[float]
    mb: list[float]


def vectors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that is to be refused, with its name."""
    for path in (OWN / "strict_gate.json", SHARED_CASES / "vectors" / "json_hostile.json"):
        if path.exists():
            for case in msgspec.json.decode(path.read_bytes())["cases"]:
                if case["want_status"] != 200:
                    yield f"{path.stem}: {case['name']}", case


def refused(port: int, pid: int, rounds: int = ROUNDS) -> list[Refused]:
    """All of them sent to a server, one after the other; raises `AssertionError` where one is answered otherwise.

    The time is that until the answer begins: a body that is too long is not sent to its end. Long ones are sent a
    second time in chunks, so that nobody is told how long they are.
    """
    found = []
    for name, case in vectors():
        body = body_of(case)
        chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        forms = {name: _head(case, len(body)) + body}
        if len(body) > COMMAND_BYTES_MAX:
            forms[name + IN_CHUNKS] = _head(case, None) + chunk
        for form, message in forms.items():
            one = Refused(vector=form, is_batch="route" in case, status=case["want_status"], ms=[], mb=[])
            for _ in range(rounds):
                with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                    before = _reset_peak(pid)
                    began = perf_counter()
                    status = _status(connection, message)
                    one.ms.append(round((perf_counter() - began) * 1000, 2))
                    one.mb.append(round((_memory(pid, "VmHWM") - before) / KIB, 2))
                assert status == one.status, (form, status)
            found.append(one)
    return found


def measure(rounds: int = ROUNDS) -> tuple[list[Result], list[Refused]]:
    """The rows for `bench/results.json`, and every body's figures behind them, the slowest first.

    A round's figure is the worst of its bodies; a row's is the median of its rounds.
    """
    with folder() as home:
        url = f"sqlite:///{home}/gate.db"
        prepare(url)
        with running("sqlite", "ledger", url) as server, awake(server):
            refused(server.port, server.process.pid, 1)
            found = refused(server.port, server.process.pid, rounds)
    found.sort(key=lambda one: max(one.ms), reverse=True)
    untold = [one for one in found if one.is_batch and one.vector.endswith(IN_CHUNKS)]
    others = [one for one in found if one not in untold]
    rows = [
        _row(SLOWEST, [max(one.ms[number] for one in found) for number in range(rounds)], MS_MAX),
        _row(GREATEST, [max(one.mb[number] for one in others) for number in range(rounds)], MB_MAX),
        _row(UNTOLD, [max(one.mb[number] for one in untold) for number in range(rounds)], MB_MAX),
    ]
    return rows, found


def _row(name: str, rounds: list[float], most: float) -> Result:
    ours = sorted(rounds)[len(rounds) // 2]
    return Result(
        measure=name,
        engine="sqlite",
        ours=ours,
        reference=None,
        reference_value=None,
        ratio=None,
        goal=f"≤ {most:g}",
        expected=most / 2,
        met=ours <= most,
        rounds=rounds,
    )


def _head(case: dict[str, Any], length: int | None) -> bytes:
    """What stands before a body, of that length or sent in chunks."""
    path = "/v1/commands" if case.get("route") == "batch" else "/v1/people"
    content_type = case.get("content_type", "application/json")
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Custody-Actor: north/north-1", "Idempotency-Key: gate"]
    lines += [f"Content-Type: {content_type}"] if content_type is not None else []
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def _status(connection: socket.socket, message: bytes) -> int:
    """The status of the answer, which may come before all is sent; what is left is then kept back."""
    left = memoryview(message)
    while True:
        readable, writable, _ = select([connection], [connection] if left else [], [], PATIENCE)
        assert readable or writable, "no answer"
        if readable:
            return int(connection.recv(PIECE).split(b" ", 2)[1])
        left = left[connection.send(left[:PIECE]) :]


def _reset_peak(pid: int) -> int:
    """Let the peak begin anew from what the process holds now, which is answered."""
    Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK, "ascii")
    return _memory(pid, "VmRSS")


def _memory(pid: int, name: str) -> int:
    """A figure of a process's memory, in KiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines() if line.startswith(name))
    return int(line.split()[1])


def main() -> None:
    """Measure and print."""
    rows, found = measure()
    for row in rows:
        print(f"{row.measure}: {row.ours} (goal {row.goal}): rounds {row.rounds}")
    for one in (*found[:5], *sorted(found, key=lambda one: max(one.mb), reverse=True)[:5]):
        print(f"  {one.vector}: {one.status}, {one.ms} ms, {one.mb} MB")


if __name__ == "__main__":
    main()
