"""Data to test against: our own in `tests/data`, that of others in `shared/cases` beside the checkout.

Other people's data stays out of this repository. A test that does not find it is skipped and says so.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[1]
OWN: Final = REPOSITORY / "tests" / "data"
SHARED_CASES: Final = REPOSITORY.parent / "shared" / "cases"


def shared_file(name: str) -> Path:
    """The path of `shared/cases/NAME`; skips the running test where there is none."""
    path = SHARED_CASES / name
    if not path.exists():
        pytest.skip(f"../shared/cases/{name} is not beside this checkout")
    return path


def shared_vectors(name: str) -> Any:
    """The content of `shared/cases/vectors/NAME.json`; skips the running test where there is none."""
    return json.loads(shared_file(f"vectors/{name}.json").read_text("utf-8"))


def shared_rows(name: str, *, label: str = "name") -> list[Any]:
    """The cases of `shared/cases/vectors/NAME.json` as parameters of a test, or one that is skipped."""
    path = SHARED_CASES / "vectors" / f"{name}.json"
    if not path.exists():
        reason = f"../shared/cases/vectors/{name}.json is not beside this checkout"
        return [pytest.param(None, id=name, marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(case, id=case[label]) for case in json.loads(path.read_text("utf-8"))["cases"]]


def own_vectors(name: str) -> Any:
    """The content of `tests/data/NAME.json`."""
    return json.loads((OWN / f"{name}.json").read_text("utf-8"))


def body_of(case: dict[str, Any]) -> bytes:
    """The bytes of a gate row: given whole, or as a prefix, a repeated piece and a suffix."""
    if "bytes_base64" in case:
        return b64decode(case["bytes_base64"])
    piece, times = case["repeat"]
    return bytes((case["prefix"] + piece * times + case["suffix"]).encode())
