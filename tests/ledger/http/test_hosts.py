"""To whom a request was sent: only what was sent to this service is answered, and with `HEAD` only the head of it."""

from __future__ import annotations

import httpx2
import pytest

from ledger.http.app import create_app
from ledger.http.feed.live import LiveLog
from ledger.http.hosts import TrustedHosts
from tests.ledger.http.house import House, officer
from tests.ledger.http.serving import PATIENCE, served
from tests.ledger.writer.stage import wait_until
from tests.scene import NORTH

HOSTS = {
    "its own name": (b"localhost", True),
    "with a port": (b"localhost:8000", True),
    "in capitals": (b"LOCALHOST:8000", True),
    "an address": (b"127.0.0.1:8000", True),
    "another machine's address": (b"192.0.2.7", True),
    "a long address": (b"[::1]:8000", True),
    "a name it was given": (b"ledger.example", True),
    "another it was given, with a port": (b"www.ledger.example:443", True),
    "none, as simple programs ask": (None, True),
    "somebody else's name": (b"attacker.example", False),
    "a name that begins like its own": (b"localhost.attacker.example", False),
    "a name that ends like one it was given": (b"xledger.example", False),
    "one below a name it was given": (b"sub.ledger.example", False),
    "a name that looks like an address": (b"127.0.0.1.attacker.example", False),
    "two names": (b"localhost attacker.example", False),
    "no port": (b"localhost:", False),
    "nothing": (b"", False),
    "other letters": ("löcalhost".encode(), False),
}


@pytest.mark.parametrize("sentence", HOSTS)
def test_the_names_it_goes_by(sentence: str) -> None:
    host, trusted = HOSTS[sentence]
    hosts = TrustedHosts("ledger.example, WWW.Ledger.example")
    assert [hosts.trusts(host), hosts.trusts(host)] == [trusted, trusted]


@pytest.mark.parametrize(("method", "path"), [("GET", "/health/live"), ("POST", "/v1/people"), ("GET", "/v1/nothing")])
def test_what_was_sent_to_another_name_is_not_looked_at(quick: House, method: str, path: str) -> None:
    response = quick.client.request(method, path, headers={"Host": "attacker.example", "Correlation-Id": "led-here"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (421, "host-is-not-trusted")
    assert problem["correlation_id"] == "led-here"
    assert response.headers["content-type"] == "application/problem+json"
    assert "attacker" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


READ = ["/v1/people", "/v1/authorities/north", "/v1/people/nobody", "/health/ready", "/openapi.json", "/docs"]
KEPT = ("content-length", "content-type", "etag", "ledger-position", "cache-control")


@pytest.mark.parametrize("path", READ)
def test_head_tells_what_get_would(quick: House, path: str) -> None:
    who = {"Custody-Actor": officer(NORTH)}
    whole, head = (quick.client.request(method, path, headers=who) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert [head.headers.get(name) for name in KEPT] == [whole.headers.get(name) for name in KEPT]


def test_head_is_refused_where_nothing_is_read(quick: House) -> None:
    response = quick.client.head("/v1/people/p1/moves")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_head_of_a_stream_ends_it(house: House) -> None:
    live = LiveLog(house.service.log)
    app = create_app(house.service, live=live)
    with served(app) as address, httpx2.Client(base_url=address, timeout=PATIENCE) as client:
        response = client.head("/v1/events/stream", headers={"Custody-Actor": officer(NORTH)})
        assert (response.status_code, response.content) == (200, b"")
        wait_until(lambda: live.streams == 0)
        assert client.get("/health/live").status_code == 200
