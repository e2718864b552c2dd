"""The two database servers of the compose file, on servers of the wheel: the scripts that they start with.

In the image `docker-entrypoint.sh` starts the server on the data it finds; here a script of that name does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import psycopg
import pytest

from tests.failover.pair import BLOCKS, Pair, pair
from tests.shared_data import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
SCRIPT = (DEPLOY / "postgres.sh").read_text("utf-8")
ENTRY_POINT = '#!/bin/sh\nexec pg_ctl start --pgdata="$PGDATA" --log="$PGDATA/server.log" --wait\n'


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with pair() as servers:
        yield servers


def start(servers: Pair, *, must: bool = True, **changes: str) -> str:
    """What the script says as the standby of a pair, in its folder and with the other server as its peer."""
    home = servers.standby.data.parent
    entry = home / "bin" / "docker-entrypoint.sh"
    entry.parent.mkdir(exist_ok=True)
    entry.write_text(ENTRY_POINT, "utf-8")
    entry.chmod(0o755)
    (home / "password").write_text("none is asked for", "utf-8")
    return servers.run(
        f'export PATH="$PATH:{entry.parent}"\n{SCRIPT}',
        {
            "PGDATA": str(servers.standby.data),
            "PGPORT": str(servers.standby.port),
            "POSTGRES_USER": "postgres",
            "POSTGRES_PASSWORD_FILE": str(home / "password"),
            "PEER": "127.0.0.1",
            "PEER_PORT": str(servers.primary.port),
            **changes,
        },
        must=must,
    )


def is_standby(servers: Pair) -> bool:
    with psycopg.connect(servers.standby.conninfo()) as server:
        [said] = server.execute("SELECT pg_is_in_recovery()").fetchone() or (None,)
        return bool(said)


def test_an_empty_folder_becomes_the_standby_and_a_standby_stays_one(servers: Pair) -> None:
    fence(servers)
    shutil.rmtree(servers.standby.data)
    start(servers)
    assert is_standby(servers)
    fence(servers)
    start(servers)
    assert is_standby(servers)
    servers.run((DEPLOY / "synchronous.sh").read_text("utf-8"), synchronous(servers))


def test_a_primary_whose_peer_has_taken_over_stays_down(servers: Pair) -> None:
    servers.kill()
    servers.promote()
    assert "has taken over" in start(servers, must=False)
    with pytest.raises(psycopg.OperationalError):
        is_standby(servers)
    shutil.rmtree(servers.standby.data)
    start(servers)
    assert is_standby(servers)


def test_only_the_first_begins_without_a_peer(servers: Pair) -> None:
    """The image makes the first one's data; any other is started again and again until there is a primary to copy."""
    absent = {"PGDATA": str(servers.standby.data.with_name("three")), "PEER_PORT": "1"}
    assert "is no primary yet" in start(servers, must=False, **absent)
    assert "pg_ctl" in start(servers, must=False, FIRST="yes", **absent)


def fence(servers: Pair) -> None:
    servers.run(BLOCKS["fence"], {"PRIMARY_DATA": str(servers.standby.data)})


def synchronous(servers: Pair) -> dict[str, str]:
    password = servers.standby.data.with_name("password")
    return {"PRIMARY": servers.primary.conninfo(), "POSTGRES_PASSWORD_FILE": str(password)}


def test_the_scripts_say_what_the_page_says() -> None:
    settings = BLOCKS["settings"].splitlines()[1:-1]
    first = (DEPLOY / "first.sh").read_text("utf-8").splitlines()
    assert settings == first[first.index("cat >> \"$PGDATA/postgresql.conf\" <<'END'") + 1 : -1]
    assert (DEPLOY / "synchronous.sh").read_text("utf-8").endswith(BLOCKS["synchronous"])
    _, alone = BLOCKS["promote"].splitlines()[0].split("-Xqc ")
    operation = (REPOSITORY / "docs" / "operation.md").read_text("utf-8")
    assert f"psql --username=custody -Xqc {alone}" in operation
    [copy] = [line for line in BLOCKS["standby"].splitlines() if line.startswith("pg_basebackup")]
    assert copy.replace("$STANDBY_DATA", "$PGDATA") in SCRIPT
