"""Shell out of a page of the documentation, run as it is printed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.ledger.cli.running import CUSTODY
from tests.shared_data import REPOSITORY

SECONDS_MAX = 1_800


def printed(script: str, folder: Path, **variables: str) -> str:
    """What the shell prints on both streams, `custody` being this tree's; it must end well."""
    program = folder / "bin" / "custody"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(CUSTODY)} "$@"\n', "utf-8")
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODY_")}
    # Whatever goes wrong, the server must not outlive the page: it would hold the pipes open.
    guarded = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"
    done = subprocess.run(
        ["bash", "-c", guarded],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={
            **kept,
            "PATH": os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), kept["PATH"]]),
            "PYTHONPATH": str(REPOSITORY),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
