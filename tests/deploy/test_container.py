"""The container without a container engine: its files fit each other, and what they start works as plain commands.

Building the wheels takes too long for a suite; docs/operation.md has the commands that do it without an engine.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.settings import Settings, file_variable, unknown_names
from tests.ledger.cli.running import CUSTODY, INIT, custody, ended
from tests.ledger.cli.test_serving import Served, served
from tests.shared_data import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
COMPOSE = (REPOSITORY / "deploy" / "compose.yaml").read_text("utf-8")
IGNORED = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
INSTRUCTIONS = [
    (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
FINAL = INSTRUCTIONS[max(index for index, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
"""The instructions of the image itself."""


def of_final(name: str) -> str:
    """The one instruction of that name in the image itself."""
    [found] = [rest for one, rest in FINAL if one == name]
    return found


def image_variables() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for pair in shlex.split(of_final("ENV")))


def section(name: str) -> str:
    """The lines below a top-level key of the compose file."""
    found = re.search(rf"^{name}:.*\n((?:(?:[ #].*)?\n)*)", COMPOSE, re.MULTILINE)
    assert found is not None, name
    return found[1]


def services() -> dict[str, str]:
    """The lines of each service; where it takes those of all API processes in, they are there."""
    parts = re.split(r"^  ([\w-]+):\n", section("services"), flags=re.MULTILINE)[1:]
    shared = section("x-api")
    return {name: body.replace("    <<: *api\n", shared) for name, body in zip(parts[::2], parts[1::2], strict=True)}


APIS = {name: body for name, body in services().items() if "custody-ledger:" in body}


def compose_variables(body: str) -> dict[str, str]:
    """What a service sets for our program."""
    return dict(re.findall(r"^\s+(CUSTODY_\w+): (\S+)$", body, re.MULTILINE))


def test_every_file_that_is_copied_exists_and_is_not_ignored() -> None:
    kept = [line.removeprefix("!") for line in IGNORED if line.startswith("!")]
    copied = [one for name, rest in INSTRUCTIONS if name == "COPY" for one in rest.split()[:-1]]
    assert len(copied) >= 7
    assert [one for one in copied if not (REPOSITORY / one).exists()] == []
    assert [one for one in copied if not any(fnmatch.fnmatch(one, pattern) for pattern in kept)] == []
    assert "*" in IGNORED


def test_the_wheel_has_all_it_is_built_from() -> None:
    copied = {one for name, rest in INSTRUCTIONS if name == "COPY" for one in rest.split()[:-1]}
    project = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    packages = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    readme = re.search(r'^readme = "(.*)"$', project, re.MULTILINE)
    assert packages is not None
    assert readme is not None
    assert {*re.findall(r'"(\w+)"', packages[1]), readme[1], "pyproject.toml"} <= copied


def test_nothing_is_installed_that_is_not_locked() -> None:
    runs = " && ".join(rest for name, rest in INSTRUCTIONS if name == "RUN")
    commands = [command for command in runs.split("&&") if " pip " in command]
    assert len(commands) == 4
    for command in commands:
        files = re.findall(r"-r (\S+)", command)
        assert all("--hash=sha256:" in (REPOSITORY / file).read_text("utf-8") for file in files)
        locked = "--require-hashes" in command and files
        assert locked or ("--no-deps" in command and ("--no-index" in command or "--no-build-isolation" in command))


def test_it_runs_as_nobody_in_particular_and_writes_below_data_alone() -> None:
    assert of_final("USER") == "custody"
    assert of_final("VOLUME") == of_final("WORKDIR") == "/data"
    assert image_variables()["PYTHONDONTWRITEBYTECODE"] == "1"
    assert len([one for one, _ in INSTRUCTIONS if one == "FROM"]) == 2


def test_what_it_calls_are_commands_of_ours() -> None:
    entry, command = json.loads(of_final("ENTRYPOINT")), json.loads(of_final("CMD"))
    check = json.loads(of_final("HEALTHCHECK").partition("CMD ")[2])
    assert entry == ["custody"] == check[:1]
    for arguments in (command, check[1:]):
        assert custody(*arguments, "--help").exit_code == 0
    assert of_final("EXPOSE") == image_variables()["CUSTODY_PORT"]


def test_there_are_two_api_processes_behind_the_machine_s_own_address() -> None:
    assert len(APIS) == 2
    ports = re.findall(r'^\s+- "(.*:\d+)"$', COMPOSE, re.MULTILINE)
    assert len(ports) == len(set(ports)) == COMPOSE.count("ports:")
    for port in ports:
        address, _, inside = port.split(":")
        assert (address, inside) == ("127.0.0.1", image_variables()["CUSTODY_PORT"])
    for body in APIS.values():
        assert compose_variables(body)["CUSTODY_ENVIRONMENT"] == "development"
        assert "read_only: true" in body
        assert "context: .." in body


def test_every_secret_is_declared_used_and_kept_out_of_the_repository() -> None:
    declared = dict(re.findall(r"^  ([\w-]+):\n    file: (\S+)$", section("secrets"), re.MULTILINE))
    used = set(re.findall(r"/run/secrets/([\w-]+)", COMPOSE))
    assert set(declared) == used == set(re.findall(r"secrets: \[([\w-]+)\]", COMPOSE))
    ignored = (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()
    assert all(f"deploy/{Path(file).parent}/" in ignored for file in declared.values())


def test_no_variable_hides_a_secret_s_file() -> None:
    for body in APIS.values():
        given = {**image_variables(), **compose_variables(body)}
        assert unknown_names(given) == {}
        for name in Settings.model_fields:
            assert not (file_variable(name) in given and f"CUSTODY_{name.upper()}" in given)


@pytest.fixture
def variables(postgresql_url: str, tmp_path: Path) -> list[dict[str, str]]:
    """What each API process is given, with the secrets in a folder of the test and the address of this machine."""
    (tmp_path / "database-url").write_text(f"{postgresql_url}\n", "utf-8")
    return [
        {
            name: value.replace("/run/secrets", str(tmp_path))
            for name, value in {**image_variables(), **compose_variables(body), "CUSTODY_HOST": "127.0.0.1"}.items()
        }
        for body in APIS.values()
    ]


def test_its_steps_run_as_plain_commands(variables: list[dict[str, str]]) -> None:
    code, _, stderr = ended("db", "init", *INIT, program=CUSTODY, **variables[0])
    assert code == 0, stderr
    with ExitStack() as both:
        processes = [
            both.enter_context(served(*json.loads(of_final("CMD")), "--port", "0", **given)) for given in variables
        ]
        for process, given in zip(processes, variables, strict=True):
            assert health_at(process, given) == (0, "ready")
        assert [process.stop(signal.SIGTERM) for process in processes] == [0, 0]
        assert health_at(processes[0], variables[0]) == (5, "")


def health_at(process: Served, given: dict[str, str]) -> tuple[int, str]:
    """How the health check of the image ends, and what it says first, at the port that the process was given."""
    check = json.loads(of_final("HEALTHCHECK").partition("CMD ")[2])[1:]
    port = process.address.rpartition(":")[2]
    code, stdout, _ = ended(*check, program=CUSTODY, **{**given, "CUSTODY_PORT": port})
    return code, stdout.split(",")[0].strip()
