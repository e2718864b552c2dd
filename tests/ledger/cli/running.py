"""Running `custody`: in this process, or as a process of its own where streams, signals and codes are the matter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from ledger.cli.program import program
from tests.shared_data import REPOSITORY

CUSTODY = (sys.executable, "-c", "from ledger.cli import main; main()")
SECONDS_MAX = 120
INIT = ("--origin", "ledger.example/custody/2025", "--registrar", "keeper", "--state", "NO", "--officer", "k-1")


def custody(*arguments: str, url: str | None = None, **variables: str) -> Result:
    """What a command prints and how it ends, in this process, over the ledger at `url`."""
    environment: dict[str, str | None] = {"CUSTODY_DATABASE_URL": url, **variables}
    return CliRunner().invoke(program, list(arguments), env=environment, prog_name="custody")


def answered(*arguments: str, url: str, code: int = 0) -> Any:
    """The JSON document of a command that is to end with that code."""
    result = custody(*arguments, "--json", url=url)
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def started(*arguments: str, program: tuple[str, ...] = CUSTODY, **variables: str) -> subprocess.Popen[str]:
    """The command as a process of its own; the caller waits for it."""
    return subprocess.Popen(
        [*program, *arguments],
        cwd=REPOSITORY,
        env=_environment(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*arguments: str, program: tuple[str, ...] = CUSTODY, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command as a process of its own."""
    process = started(*arguments, program=program, **variables)
    stdout, stderr = process.communicate(timeout=SECONDS_MAX)
    return process.returncode, stdout, stderr


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODY_")}
    return {**kept, "PYTHONWARNINGS": "default", **variables}


def url_of(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"
