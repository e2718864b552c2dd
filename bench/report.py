"""The result of a run: a table for whoever waits, and `bench/results.json` for whoever compares."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench.gate import Refused
from bench.goals import Result
from bench.growth import Grown

RESULTS: Final = Path(__file__).with_name("results.json")
SYNCS: Final = 200
_LIBRARIES: Final = ("eventsourcing", "fastapi", "starlette", "uvicorn", "uvloop", "pydantic", "msgspec", "psycopg")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`bench/results.json`; `client_us` is what the load generator took a request, on the same processors.

    `growth` is what the picture `bench/growth.svg` shows; `refused` each hostile body.
    """

    machine: dict[str, str | int | float]
    versions: dict[str, str]
    client_us: dict[str, float]
    results: Sequence[Result]
    growth: Sequence[Grown]
    refused: Sequence[Refused]


def machine(syncs: float) -> dict[str, str | int | float]:
    """What the figures depend on: processors, how busy they were before, and how fast the disk confirms a write."""
    return {
        "processor": platform.machine(),
        "processors": os.cpu_count() or 0,
        "load_before": round(os.getloadavg()[0], 2),
        "fdatasync_per_second": round(syncs),
    }


def versions() -> dict[str, str]:
    """Python, SQLite and the libraries that take part."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return found | {name: version(name) for name in _LIBRARIES}


def write(report: Report) -> None:
    """Keep the report beside the code."""
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def show(report: Report) -> None:
    """Print the table."""
    table = Table(title="ours beside the references; medians over the rounds")
    for heading in ("measure", "engine", "ours", "reference", "its value", "ratio", "expected", "goal", "met"):
        table.add_column(heading)
    for result in report.results:
        table.add_row(
            result.measure,
            result.engine,
            _figure(result.ours),
            result.reference or "",
            _figure(result.reference_value),
            "" if result.ratio is None else f"{result.ratio:.2f}",
            f"{result.expected:g}",
            result.goal,
            {True: "yes", False: "no", None: "not measured"}[result.met],
        )
    Console(width=200).print(table)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def syncs_a_second() -> float:
    """How often a second the disk confirms a write of 4 KiB to one who waits for each."""
    with tempfile.TemporaryFile() as file:
        began = perf_counter()
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return SYNCS / (perf_counter() - began)
