"""What is counted is what happened: commands by outcome, requests by route and status, and how far each part is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from ledger.http.problems import catalogue
from ledger.observing.tally import SECONDS, Spread
from tests.engines import EXTERNAL_SERVER, wheel_server
from tests.ledger.http.house import IN_MEMORY, House, furnished, held, house_at
from tests.scene import ANN

WHO = {"Custody-Actor": "north/north-1"}
TRIES_MAX = 100
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def numbers(house: House) -> dict[tuple[str, frozenset[str]], float]:
    """The samples of `/metrics`, by name and labels."""
    response = house.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (name, frozenset(labels.split(",") if labels else ())): float(value)
        for name, labels, value in SAMPLE.findall(response.text)
    }


def named(found: dict[tuple[str, frozenset[str]], float], name: str, *labels: str) -> float | None:
    return found.get((name, frozenset(labels)))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with house_at(IN_MEMORY) as made:
        yield furnished(made)


def test_commands_are_counted_by_what_became_of_them(house: House) -> None:
    data = {"person": "p-one", "identity_status": "claimed", "attributes": {}}
    body = {"key": "b-1", "type": "register-person", "data": {**data, "person": "p-two"}}
    assert house.post("/people", data, key="one").status_code == 201
    assert house.post("/people", data, key="one").status_code == 201
    refused = house.post("/people", {**data, "identity_status": "established"}, key="two")
    assert refused.status_code == 409
    assert house.client.post("/v1/commands?dry_run=true", json=[body], headers=WHO).status_code == 200
    assert house.client.post("/v1/commands", json=[body], headers=WHO).status_code == 200
    found = numbers(house)
    for outcome, count in (("recorded", 2), ("replayed", 1), ("foreseen", 1), (refused.json()["code"], 1)):
        labels = ('command="register-person"', f'outcome="{outcome}"')
        assert named(found, "custody_commands_total", *labels) == count, outcome


def test_requests_are_counted_by_route_and_never_by_address(house: House) -> None:
    before = numbers(house)
    held(house)
    for path in (f"/v1/people/{ANN}", "/v1/people/nobody", "/v1/no/such/place", "/v1/people?colour=red"):
        house.client.get(path, headers=WHO)
    house.client.head(f"/v1/people/{ANN}", headers=WHO)
    house.client.request("BREW", "/v1/people", headers=WHO)
    found = numbers(house)
    expected = {
        ("GET", "/v1/people/{person}", "200"): 1,
        ("GET", "/v1/people/{person}", "404"): 1,
        ("HEAD", "/v1/people/{person}", "200"): 1,
        ("GET", "none", "404"): 1,
        ("GET", "/v1/people", "422"): 1,
        ("POST", "/v1/people/{person}/bases", "201"): 1,
        ("POST", "/v1/people/{person}/custody", "201"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    for (method, route, status), more in expected.items():
        labels = (f'method="{method}"', f'route="{route}"', f'status="{status}"')
        was = named(before, "custody_http_requests_total", *labels) or 0
        assert named(found, "custody_http_requests_total", *labels) == was + more, route
    problems = {code for code, _, _ in catalogue()}
    for name, told in found:
        said = dict(label.split("=", 1) for label in told)
        assert said.get("method", '"GET"') in {'"GET"', '"POST"', '"HEAD"', '"other"'}
        assert ANN not in str(told)
        assert name != "custody_problems_total" or said["code"].strip('"') in problems
    assert named(found, "custody_problems_total", 'code="person-is-unknown"')


def test_the_writer_and_the_views_say_how_far_they_are(house: House) -> None:
    for view in house.service.views.status():
        assert house.service.views.wait_until(view.view, house.head, 30)
    found = numbers(house)
    for name in ("custody_log_position", "custody_register_position"):
        assert named(found, name) == house.head
    for view in house.service.views.status():
        assert named(found, "custody_view_position", f'view="{view.view}"') == house.head
        for zero in ("lag", "parked", "stopped"):
            assert named(found, f"custody_view_{zero}", f'view="{view.view}"') == 0
    assert named(found, "custody_database_up") == 1
    assert named(found, "custody_requests_waiting") == 0
    assert (named(found, "custody_commit_seconds_count") or 0) > 1
    assert (named(found, "custody_batch_commands_sum") or 0) > 1
    assert named(found, "process_resident_memory_bytes")


@pytest.mark.skipif(EXTERNAL_SERVER in os.environ, reason="a server that the environment names is not ours to stop")
def test_a_database_that_is_gone_is_a_number_not_a_failure() -> None:
    with wheel_server() as server, house_at(server.create_database(), run_views=False) as house:
        furnished(house)
        assert named(numbers(house), "custody_database_up") == 1
        server.stop()
        for _ in range(2):
            refused = house.post("/people", {"identity_status": "claimed", "attributes": {}})
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        found = numbers(house)
        assert named(found, "custody_database_up") == 0
        assert named(found, "custody_views_up") == 0
        assert named(found, "custody_log_position") is None
        assert named(found, "custody_database_outages_total") == 1
        server.start()
        answers = (house.client.get("/health/ready") for _ in range(TRIES_MAX))
        assert next(answer for answer in answers if answer.status_code != 503).status_code == 200
        assert named(numbers(house), "custody_database_up") == 1


def test_a_value_at_a_bound_is_counted_at_it() -> None:
    spread = Spread(SECONDS)
    for value in (0.001, 0.0011, 60.0):
        spread.add(value)
    counts = dict(spread.buckets())
    assert (counts["0.001"], counts["0.0025"], counts["10.0"], counts["+Inf"]) == (1, 2, 2, 3)
