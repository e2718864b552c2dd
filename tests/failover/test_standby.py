"""What a standby is for: an append has returned only when it is on both, and the log goes on on whichever is left."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest
from psycopg import sql

from ledger.store import AddressIsUnknown, DatabaseUnreachable, EventLog, open_log
from ledger.store.log import Reason
from ledger.store.postgres.connections import LogConnection
from tests.failover.pair import BLOCKS, Pair, pair
from tests.ledger.cli.running import custody
from tests.ledger.store.samples import opened, row, rows
from tests.ledger.writer.stage import person
from tests.scene import ANN, NORTH, Scene, registry

PATIENCE = 60
NUMBERS = count()


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with pair() as servers:
        yield servers


@contextmanager
def giving_up_after(seconds: float) -> Iterator[None]:
    """How long a server that says nothing is waited for: shortly where that is the matter, or as it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogConnection, "answer_seconds", seconds)
        yield


@pytest.fixture
def url(servers: Pair) -> str:
    """The address of a log with two events in it, on both servers; the primary waits for its standby."""
    name = f"log_{next(NUMBERS)}"
    servers.create_database(name)
    url = servers.url(name)
    with opened(url) as log:
        log.append(rows(1, 2), [])
    return url


@contextmanager
def refused(reason: Reason, saying: str = "the database is") -> Iterator[None]:
    with pytest.raises(DatabaseUnreachable, match=saying) as error:
        yield
    assert error.value.reason == reason, error.value


def cancel_the_wait(servers: Pair) -> None:
    """What an operator should never do: end a commit's wait for the standby. Returns when one was found waiting."""
    with psycopg.connect(servers.primary.conninfo(), autocommit=True) as server:
        while not server.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
            "WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"
        ).fetchone():
            pass


def cancelled(servers: Pair, log: EventLog) -> None:
    """Position 3 is committed on the primary and seen there, and the standby has not got it."""
    with giving_up_after(PATIENCE), ThreadPoolExecutor() as threads:
        appending = threads.submit(log.append, rows(3, 3), [])
        cancel_the_wait(servers)
        with refused("gone", "not known to be on its standby"):
            appending.result(PATIENCE)
    assert log.read(2, 10) == rows(3, 3)


def test_an_append_that_the_standby_has_not_got_is_neither_told_of_nor_seen(servers: Pair, url: str) -> None:
    with opened(url, create=False) as log, opened(url, create=False) as other:
        with servers.standing_still():
            with giving_up_after(1), refused("gone"):
                log.append(rows(3, 3), [])
            assert other.head() == 2
            with giving_up_after(1), refused("gone"):
                other.append([row(3, by="other")], [])
        # The standby has it now, and so the commit that nobody waits for any more is made.
        assert other.wait_for(2, PATIENCE)
        assert other.read(2, 10) == rows(3, 3)


def test_a_commit_whose_wait_was_cancelled_is_no_success(servers: Pair, url: str) -> None:
    with opened(url, create=False) as log:
        with servers.standing_still():
            cancelled(servers, log)
            with giving_up_after(1), refused("gone"):
                log.confirm(3)
        log.confirm(3)
        log.append(rows(4, 4), [])


def test_a_repeat_is_answered_once_its_first_answer_is_on_the_standby(servers: Pair) -> None:
    servers.create_database("repeated")
    with opened(servers.url("repeated")) as log, ThreadPoolExecutor() as threads:
        scene = registry(Scene(log))

        def ask() -> bool:
            return scene.do(NORTH, "register-person", key="k", **person(ANN)).replayed

        with servers.standing_still():
            with giving_up_after(PATIENCE):
                asking = threads.submit(ask)
                cancel_the_wait(servers)
            # It is found to be recorded, and then the standby is waited for once more.
            with refused("gone"):
                asking.result(2 * PATIENCE)
            # It stands in the log, and is not told of.
            with giving_up_after(1), refused("gone"):
                ask()
        assert ask()


def test_of_several_hosts_the_one_that_takes_writes_is_meant(servers: Pair) -> None:
    servers.create_database("hosts")
    ports = (servers.standby.port, servers.primary.port)
    url = f"postgresql://postgres@{','.join(f'127.0.0.1:{port}' for port in ports)}/hosts"
    with pytest.raises(AddressIsUnknown, match="target_session_attrs=read-write"):
        open_log(url)
    with opened(f"{url}?target_session_attrs=read-write") as log:
        log.append(rows(1, 1), [])
    with opened(servers.url("hosts", only=servers.standby), create=False) as reading:
        assert reading.wait_for(0, PATIENCE), "one host alone may be a standby"
        with refused("gone"):
            reading.append(rows(2, 2), [])
        assert reading.read(0, 10) == rows(1, 1)


def test_the_doctor_s_warnings(servers: Pair, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with opened(url, create=False) as log:
        assert [said for said in log.check().warnings if "synchronous" in said] == []
    servers.administer(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))
    with opened(url, create=False) as log:
        assert "synchronous_commit is off, which this service overrules" in log.check().warnings
    with alone(servers), opened(url, create=False) as log:
        assert any(said.startswith("synchronous_standby_names is empty") for said in log.check().warnings)


@contextmanager
def alone(servers: Pair) -> Iterator[None]:
    """The primary waits for nobody."""
    servers.administer("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
    while value_of(servers, "synchronous_standby_names"):
        pass
    yield
    servers.synchronise()


def value_of(servers: Pair, setting: str) -> str:
    """A setting as a new connection finds it."""
    with psycopg.connect(servers.primary.conninfo()) as server:
        [value] = server.execute("SELECT current_setting(%s)", [setting]).fetchone() or ("",)
        return str(value)


def test_a_primary_that_takes_no_writes_any_more_is_not_read_from(servers: Pair, url: str) -> None:
    """What it has may be old. It says so with its first answer, and from then on its connections are unfit."""
    with opened(url, create=False) as log:
        servers.administer("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        while value_of(servers, "default_transaction_read_only") == "off":
            pass
        with refused("gone"):
            log.head()
            log.head()
        servers.administer("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        while value_of(servers, "default_transaction_read_only") == "on":
            pass
        assert log.head() == 2
        log.append(rows(3, 3), [])


# Each of these loses a primary; what the log remembers is held against what the next one has.


def test_an_open_log_goes_on_at_the_standby(servers: Pair, url: str) -> None:
    with opened(url, create=False) as log, opened(url, create=False) as other, ThreadPoolExecutor() as threads:
        assert other.wait_for(1, PATIENCE)
        waiting = threads.submit(other.wait_for, 2, PATIENCE)
        servers.kill()
        with refused("gone"):
            log.head()
        servers.promote()
        assert log.head() == 2
        log.append(rows(3, 3), [])
        assert waiting.result(PATIENCE)
        assert other.read(0, 10) == rows(1, 3)
    servers.attach()


def test_a_server_that_was_not_sent_everything_is_not_gone_on_with(servers: Pair, url: str) -> None:
    with opened(url, create=False) as log:
        with servers.switched_off():
            cancelled(servers, log)
            servers.kill()
        servers.promote()
        with refused("gone", "has not got position 3"):
            log.head()
        with opened(url, create=False) as new:
            assert new.head() == 2
            new.append([row(3, by="new")], [])
        with refused("gone", "position 3 is another event"):
            log.append(rows(4, 4), [])
    servers.attach()


def test_every_command_of_the_page_is_run() -> None:
    assert set(BLOCKS) == {"settings", "standby", "synchronous", "fence", "promote", "look"}


def test_what_the_page_has_looked_at_is_well(servers: Pair) -> None:
    servers.create_database("looked_at")
    url = servers.url("looked_at")
    with opened(url) as log:
        registry(Scene(log))
    for command in BLOCKS["look"].splitlines():
        program, *arguments = command.split()
        assert program == "custody"
        ended = custody(*arguments, url=url)
        assert ended.exit_code == 0, ended.stdout + ended.stderr
