"""Ids and salts: none is given out twice, by whichever thread or process."""

from __future__ import annotations

import os
import re
import threading

import pytest

from ledger.sources import CHANCE_BYTES, SALT_BYTES, random_salt, uuid7

MANY = CHANCE_BYTES // SALT_BYTES * 3


def test_an_id_is_a_uuid_of_version_7() -> None:
    shape = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(shape.fullmatch(uuid7()) for _ in range(MANY))


def test_no_thread_draws_what_another_has_drawn() -> None:
    drawn: list[object] = []

    def draw() -> None:
        for _ in range(MANY):
            drawn.extend((random_salt(), uuid7()))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 4 * 2 * MANY
    assert {len(salt) for salt in drawn if isinstance(salt, bytes)} == {SALT_BYTES}


# Newer versions of Python warn of any thread the test session still has; the child runs no more than one line.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_draws_its_own() -> None:
    random_salt()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, random_salt())
        os._exit(0)
    os.waitpid(child, 0)
    with open(reading, "rb", buffering=0) as pipe:
        assert pipe.read(SALT_BYTES) != random_salt()
    os.close(writing)
