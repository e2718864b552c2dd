"""The compose file against what such a file may say: no engine reads it here, so a word it does not know is found here.

The shape is that of the Compose Specification, as far as the file uses it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it comes without types

from tests.shared_data import REPOSITORY

TEXT: Final = (REPOSITORY / "deploy" / "compose.yaml").read_text("utf-8")
DURATION: Final = re.compile(r"(?:\d+h)?(?:\d+m)?(?:\d+s)?")
PORT: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}:\d+:\d+")
VOLUME: Final = re.compile(r"([.\w/-]+):(/[\w./-]+)(?::ro)?")
TMPFS: Final = re.compile(r"/[\w/]+(?::\w+=\w+(?:,\w+=\w+)*)?")
CONDITIONS: Final = {"service_started", "service_healthy", "service_completed_successfully"}


def each(kind: type) -> Any:
    """A list of that kind."""
    return lambda value: isinstance(value, list) and all(isinstance(one, kind) for one in value)


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_duration(value: object) -> bool:
    return isinstance(value, str) and value != "" and DURATION.fullmatch(value) is not None


def fits(shape: dict[str, Any]) -> Any:
    """A mapping of these keys and no others, each with a value of its kind."""
    return lambda value: isinstance(value, dict) and all(key in shape and shape[key](one) for key, one in value.items())


SERVICE: Final = fits(
    {
        "image": is_text,
        "build": fits({"context": is_text, "dockerfile": is_text}),
        "user": is_text,
        "entrypoint": each(str),
        "command": each(str),
        "environment": lambda value: isinstance(value, dict) and all(map(is_text, value.values())),
        "secrets": each(str),
        "profiles": each(str),
        "ports": lambda value: all(PORT.fullmatch(one) for one in value),
        "volumes": lambda value: all(VOLUME.fullmatch(one) for one in value),
        "tmpfs": lambda value: all(TMPFS.fullmatch(one) for one in value),
        "read_only": lambda value: isinstance(value, bool),
        "cap_drop": each(str),
        "security_opt": each(str),
        "restart": lambda value: value in ("no", "always", "on-failure", "unless-stopped"),
        "shm_size": lambda value: re.fullmatch(r"\d+mb", value) is not None,
        "stop_grace_period": is_duration,
        "healthcheck": fits(
            {
                "test": lambda value: each(str)(value) and value[0] in ("CMD", "CMD-SHELL", "NONE"),
                "interval": is_duration,
                "timeout": is_duration,
                "retries": lambda value: type(value) is int,
                "disable": lambda value: value is True,
            }
        ),
        "depends_on": lambda value: all(
            fits({"condition": CONDITIONS.__contains__, "required": lambda given: isinstance(given, bool)})(one)
            for one in value.values()
        ),
    }
)


def faults(text: str) -> list[str]:
    """What an engine would not take, or would take for something else."""
    document = yaml.safe_load(text)
    known = {"name", "services", "secrets", "volumes"}
    found = [key for key in document if key not in known and not key.startswith("x-")]
    for name, service in document["services"].items():
        found += [f"{name}.{key}" for key, value in service.items() if not SERVICE({key: value})]
        found += [f"{name} needs {one}" for one in service.get("depends_on", {}) if one not in document["services"]]
        found += [f"{name} has no secret {one}" for one in service.get("secrets", []) if one not in document["secrets"]]
        for volume in service.get("volumes", []):
            source = str(volume).partition(":")[0]
            is_there = (REPOSITORY / "deploy" / source).is_file() if source[0] == "." else source in document["volumes"]
            found += [] if is_there else [f"{name} has no volume {source}"]
    return found


def test_it_says_nothing_that_an_engine_would_not_know() -> None:
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ('    command: ["worker"]', '    comand: ["worker"]', "worker.comand"),
        ('restart: "no"', "restart: no", "synchronous.restart"),
        ("  interval: 5s", "  interval: 5", "postgres-1.healthcheck"),
        (
            "condition: service_healthy\n        required",
            "condition: healthy\n        required",
            "postgres-2.depends_on",
        ),
        ("- ./first.sh", "- ./last.sh", "postgres-1 has no volume ./last.sh"),
        ("volumes:\n  postgres-1:\n", "volumes:\n", "postgres-1 has no volume postgres-1"),
    ],
)
def test_a_slip_is_found(right: str, wrong: str, fault: str) -> None:
    assert right in TEXT
    assert fault in faults(TEXT.replace(right, wrong))
