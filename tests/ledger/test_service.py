"""One ledger in one process: what it refuses to start with, and how it stops."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import pytest
from pydantic import SecretStr

from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.rules.table import RULES
from ledger import service as service_module
from ledger.genesis import open_epoch
from ledger.service import LedgerIsEmpty, Service, open_service
from ledger.settings import Settings, StartRefused
from ledger.store import AlreadyServed, LogIsMissing, open_log
from ledger.store.log import Step
from ledger.writer.submission import Answer, Group, Outcome, submission
from ledger.writer.writer import LedgerIsClosed
from projections.engine import views as views_module

PATIENCE = 60
BY = Actor(authority=AuthorityId("keeper"), officer=OfficerId("k-1"), credential="none:keeper/k-1")


def settings(url: str, environment: str = "development") -> Settings:
    return Settings(database_url=SecretStr(url), environment=environment, _env_file=None)  # type: ignore[call-arg,arg-type]  # pydantic-settings takes the file, and reads the text


def made(url: str) -> Settings:
    """A ledger with its first commit alone."""
    log = open_log(url, create=True)
    open_epoch(log, origin="ledger.example/custody/2025", registrar="keeper", state="NO", officer="k-1")
    log.close()
    return settings(url)


def register(service: Service, authority: str) -> Future[list[Outcome]]:
    rule = RULES["register-authority"]
    data = {"authority": authority, "state": "NO", "legal_name": authority, "outside_register": False}
    item = submission(rule, parse(rule.command, data), by=BY, key=f"key-{authority}")
    return service.writer.submit(Group(submissions=(item,)))


def test_a_ledger_that_is_not_there(sqlite_url: str) -> None:
    with pytest.raises(LogIsMissing):
        open_service(settings(sqlite_url))


def test_an_empty_ledger_is_told_how_it_begins(database_url: str) -> None:
    open_log(database_url, create=True).close()
    with pytest.raises(LedgerIsEmpty, match="custody db init"):
        open_service(settings(database_url))
    # The log was let go again.
    open_log(database_url).close()


def test_nobody_serves_production_without_knowing_who_acts(sqlite_url: str) -> None:
    made(sqlite_url)
    with pytest.raises(StartRefused, match="CUSTODY_AUTH=none"):
        open_service(settings(sqlite_url, "production"))


def test_one_process_serves_a_file(sqlite_url: str) -> None:
    given = made(sqlite_url)
    service = open_service(given)
    with pytest.raises(AlreadyServed):
        open_service(given)
    service.close()
    open_service(given).close()


def test_what_is_under_way_is_answered_before_it_stops(database_url: str) -> None:
    given = made(database_url)
    service = open_service(given)
    reached, go_on = threading.Event(), threading.Event()

    def fault(step: Step) -> None:
        if step == "before-commit":
            reached.set()
            assert go_on.wait(PATIENCE)

    service.log.fault = fault
    first = register(service, "first")
    assert reached.wait(PATIENCE)
    second = register(service, "second")
    closing = threading.Thread(target=service.close)
    closing.start()
    go_on.set()
    answers = [future.result(PATIENCE)[0] for future in (first, second)]
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert [answer.position for answer in answers if isinstance(answer, Answer)] == [4, 5]
    with pytest.raises(LedgerIsClosed):
        register(service, "third")
    service = open_service(given)
    assert service.writer.register.position == 5
    service.close()


def test_a_waiter_that_goes_away_stops_nobody(sqlite_url: str) -> None:
    service = open_service(made(sqlite_url))
    register(service, "left").cancel()
    [answer] = register(service, "stayed").result(PATIENCE)
    assert isinstance(answer, Answer)
    service.close()


def test_the_views_follow_what_is_written(database_url: str) -> None:
    service = open_service(made(database_url))
    register(service, "north").result(PATIENCE)
    assert service.views.wait_until("audit_trail", 4, PATIENCE)
    assert service.reached(4, 0)
    assert not service.reached(5, 0)
    service.close()


@pytest.mark.parametrize("part", ["register", "view"])
def test_so_many_may_wait_and_others_are_told_at_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(service_module, "WAITING_MAX", 1)
    monkeypatch.setattr(views_module, "WAITING_MAX", 1)
    service = open_service(made(sqlite_url))

    def reached() -> bool:
        if part == "register":
            return service.reached(4, PATIENCE)
        return service.views.wait_until("audit_trail", 4, PATIENCE)

    with ThreadPoolExecutor() as threads:
        both = [threads.submit(reached) for _ in range(2)]
        [told], [waiting] = wait(both, PATIENCE, FIRST_COMPLETED)
        assert not told.result()
        register(service, "north").result(PATIENCE)
        assert waiting.result(PATIENCE)
    assert reached(), "the place is free again"
    service.close()
