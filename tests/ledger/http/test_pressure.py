"""Too much at once: whoever finds no room is told so while the others still wait, and nobody else is held up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx2
import pytest

from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.rules.table import RULES
from ledger.http.app import create_api
from ledger.http.commands.edge import CommandEdge
from ledger.http.commands.waiting import WaitingRoom
from ledger.http.problems import FAULTS
from ledger.http.serving.watched import Watched
from ledger.observing.tally import Serving
from ledger.store.log import Step
from ledger.writer.submission import Group, Outcome, submission
from tests.ledger.http.house import House, officer, stalled
from tests.ledger.http.serving import PATIENCE, served
from tests.ledger.writer.stage import wait_until
from tests.scene import NORTH

ROOM = 4


def person(id_: str) -> dict[str, Any]:
    return {"person": id_, "identity_status": "claimed", "attributes": {}, "occurred_at": "2025-02-20T08:00:00Z"}


def item(id_: str) -> dict[str, Any]:
    return {"key": id_, "type": "register-person", "data": person(id_)}


def registering(id_: str) -> Group:
    """A request for the writer itself."""
    rule = RULES["register-person"]
    by = Actor(authority=AuthorityId(NORTH), officer=OfficerId("n-1"), credential="none:north/n-1")
    return Group(submissions=(submission(rule, parse(rule.command, person(id_)), by=by, key=id_),))


def test_who_finds_no_room_is_told_at_once(house: House) -> None:
    edge = CommandEdge(create_api(house.service), house.service.writer, commands_waiting_max=ROOM)
    app = Watched(edge, house.service.writer.register, Serving())
    with served(app) as address, httpx2.Client(base_url=address, timeout=PATIENCE) as client:

        def post(id_: str) -> httpx2.Response:
            headers = {"Custody-Actor": officer(NORTH), "Idempotency-Key": id_}
            return client.post("/v1/people", json=person(id_), headers=headers)

        def post_many(*ids: str) -> httpx2.Response:
            items = [item(id_) for id_ in ids]
            return client.post("/v1/commands", json=items, headers={"Custody-Actor": officer(NORTH)})

        head = house.head
        with ThreadPoolExecutor() as threads:
            with stalled(house) as stall:
                waiting = [threads.submit(post, "p-1"), threads.submit(post_many, "p-2", "p-3")]
                wait_until(lambda: edge.room.commands == 3)
                # Two more are too many, one is not: commands are counted, and not requests.
                refused = [post_many("p-4", "p-5")]
                waiting.append(threads.submit(post, "p-6"))
                wait_until(lambda: edge.room.commands == ROOM)
                refused += [post("p-7"), post_many("p-8")]
                assert client.get("/health/live").status_code == 200
                assert not any(answer.done() for answer in waiting)
                stall.goes_on.set()
            answers = [answer.result(PATIENCE) for answer in waiting]
        for response in refused:
            assert (response.status_code, response.json()["code"]) == (503, "ledger-is-busy")
            assert int(response.headers["retry-after"]) > 0
        assert [answer.status_code for answer in answers] == [201, 200, 201]
        assert (house.head, edge.room.commands) == (head + 4, 0)
        assert post("p-7").status_code == 201
        # A batch larger than the room is taken when nobody else waits.
        assert post_many("p-4", "p-5", "p-8", "p-9", "p-10").status_code == 200
        assert house.head == head + 10


@pytest.mark.parametrize("code", [code for code, fault in FAULTS.items() if fault.status == 503])
def test_whoever_is_sent_away_is_told_when_to_come_back(code: str) -> None:
    assert FAULTS[code].retry_after


def test_who_has_gone_before_the_decision_is_not_decided(house: House) -> None:
    """A request that is given up while it waits behind a commit takes its commands with it."""
    writer = house.service.writer

    async def give_up() -> list[Outcome]:
        room = WaitingRoom(writer)
        first = asyncio.create_task(room.submit(registering("p-first")))
        await asyncio.to_thread(begun.wait, PATIENCE)
        second = asyncio.create_task(room.submit(registering("p-second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        goes_on.set()
        outcomes = await first
        assert room.commands == 0
        # Answered behind the one given up, so that one is over and done with.
        return [*outcomes, *(await room.submit(registering("p-third")))]

    begun, goes_on = Event(), Event()

    def stall(step: Step) -> None:
        begun.set()
        assert goes_on.wait(PATIENCE)

    head = house.head
    house.service.log.fault = stall
    first, third = asyncio.run(give_up())
    house.service.log.fault = None
    assert [getattr(outcome, "position", None) for outcome in (first, third)] == [head + 1, head + 2]
    assert writer.register.person("p-second") is None


def test_who_is_cancelled_with_the_answer_at_hand_leaves_once(house: House) -> None:
    """The answer is there, and who waited for it has not gone on yet."""
    writer = house.service.writer

    async def cancel() -> int:
        room = WaitingRoom(writer)
        waiting = asyncio.create_task(room.submit(registering("p-first")))

        def cancel_first(_answer: object) -> None:
            waiting.cancel()

        await asyncio.sleep(0)
        room.enter(registering("p-second"), cancel_first)
        await asyncio.sleep(0)
        # The loop stands still until both answers are laid down.
        writer.submit(registering("p-third")).result(PATIENCE)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return room.commands

    assert asyncio.run(cancel()) == 0


def test_an_answer_for_a_loop_that_has_closed_is_dropped(house: House) -> None:
    """A server that ends while a batch is being committed does not take the writer's thread with it."""
    writer, begun, goes_on = house.service.writer, Event(), Event()

    def stall(step: Step) -> None:
        begun.set()
        assert goes_on.wait(PATIENCE)

    async def leave() -> None:
        waiting = asyncio.ensure_future(WaitingRoom(writer).submit(registering("p-first")))
        await asyncio.to_thread(begun.wait, PATIENCE)
        waiting.cancel()
        await asyncio.wait([waiting])

    house.service.log.fault = stall
    asyncio.run(leave())
    house.service.log.fault = None
    goes_on.set()
    [outcome] = writer.submit(registering("p-second")).result(PATIENCE)
    assert getattr(outcome, "position", None) == house.head
    assert writer.register.person("p-first") is not None
