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
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it comes without types

from ledger.settings import Settings, file_variable, unknown_names
from tests.ledger.cli.running import CUSTODY, INIT, SECONDS_MAX, custody, ended, started
from tests.ledger.cli.test_serving import Served, served
from tests.shared_data import REPOSITORY

Json = dict[str, Any]
CHECKS_MAX = 30

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
COMPOSE: Json = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Json] = COMPOSE["services"]
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


APIS = {name: one for name, one in SERVICES.items() if one.get("command") == ["serve"]}
OURS = {name: one for name, one in SERVICES.items() if "build" in one}


def compose_variables(service: Json) -> dict[str, str]:
    """What a service sets for our program."""
    return dict(service["environment"])


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


def test_there_are_two_api_processes_and_a_worker_behind_the_machine_s_own_address() -> None:
    assert [one["command"] for one in OURS.values()] == [["serve"], ["serve"], ["worker"]]
    assert custody("worker", "--help").exit_code == 0
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert len(ports) == len(set(ports)) == len(APIS)
    for port in ports:
        address, _, inside = port.split(":")
        assert (address, inside) == ("127.0.0.1", image_variables()["CUSTODY_PORT"])
    for one in OURS.values():
        assert compose_variables(one)["CUSTODY_ENVIRONMENT"] == "development"
        assert (REPOSITORY / "deploy" / one["build"]["context"]).resolve() == REPOSITORY


def test_nobody_writes_but_into_volumes_or_has_rights() -> None:
    for one in SERVICES.values():
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in one
        assert "build" in one or one["user"] == "postgres", "the image of ours has a user of its own"
        assert [
            volume for volume in one.get("volumes", []) if volume.startswith("./") and not volume.endswith(":ro")
        ] == []


def test_an_api_process_is_as_healthy_as_the_image_says() -> None:
    """Its health check is the image's: `custody healthcheck`, which the worker has no port for."""
    assert [name for name, one in OURS.items() if "healthcheck" in one] == ["worker"]
    assert OURS["worker"]["healthcheck"] == {"disable": True}


def test_every_secret_is_declared_used_and_kept_out_of_the_repository() -> None:
    declared = {name: one["file"] for name, one in COMPOSE["secrets"].items()}
    for one in SERVICES.values():
        named = {Path(value).name for value in one["environment"].values() if value.startswith("/run/secrets/")}
        assert named == set(one["secrets"])
    assert set(declared) == {name for one in SERVICES.values() for name in one["secrets"]}
    ignored = (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()
    assert all(f"deploy/{Path(file).parent}/" in ignored for file in declared.values())


def test_no_variable_hides_a_secret_s_file() -> None:
    for one in OURS.values():
        given = {**image_variables(), **compose_variables(one)}
        assert unknown_names(given) == {}
        for name in Settings.model_fields:
            assert not (file_variable(name) in given and f"CUSTODY_{name.upper()}" in given)


@pytest.fixture
def variables(postgresql_url: str, tmp_path: Path) -> dict[str, dict[str, str]]:
    """What each of our services is given, with the secrets in a folder of the test and the address of this machine."""
    (tmp_path / "database-url").write_text(f"{postgresql_url}\n", "utf-8")
    return {
        name: {
            variable: value.replace("/run/secrets", str(tmp_path))
            for variable, value in {**image_variables(), **compose_variables(one), "CUSTODY_HOST": "127.0.0.1"}.items()
        }
        for name, one in OURS.items()
    }


def test_its_steps_run_as_plain_commands(variables: dict[str, dict[str, str]]) -> None:
    code, _, stderr = ended("db", "init", *INIT, program=CUSTODY, **variables["api-1"])
    assert code == 0, stderr
    with ExitStack() as all_of_them:
        worker = started(*OURS["worker"]["command"], program=CUSTODY, **variables["worker"])
        all_of_them.callback(worker.communicate)
        all_of_them.callback(worker.kill)
        apis = {
            name: all_of_them.enter_context(served(*one["command"], "--port", "0", **variables[name]))
            for name, one in APIS.items()
        }
        for name, api in apis.items():
            assert health_at(api, variables[name], until="ready") == (0, "ready")
        assert [api.stop(signal.SIGTERM) for api in apis.values()] == [0, 0]
        assert health_at(apis["api-1"], variables["api-1"]) == (5, "")
        worker.terminate()
        assert worker.wait(SECONDS_MAX) == 0


def health_at(process: Served, given: dict[str, str], until: str | None = None) -> tuple[int, str]:
    """How the health check of the image ends, and what it says first, at the port that the process was given.

    As an engine does, it is asked again for a while where it does not say yet what it is to say.
    """
    check = json.loads(of_final("HEALTHCHECK").partition("CMD ")[2])[1:]
    port = process.address.rpartition(":")[2]
    for _ in range(CHECKS_MAX):
        code, stdout, _ = ended(*check, program=CUSTODY, **{**given, "CUSTODY_PORT": port})
        said = stdout.split(",")[0].strip()
        if until in (None, said):
            break
    return code, said
