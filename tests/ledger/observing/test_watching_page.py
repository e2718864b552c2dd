"""`docs/watching.md` is true: it names each number and each field there is, and no other."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from ledger.http.problems import catalogue
from tests.ledger.http.house import IN_MEMORY, furnished, house_at
from tests.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "watching.md").read_text("utf-8")
ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]*)\| ", re.MULTILINE)
NAMES = re.compile(r"`([a-z_]+)`")
HIDDEN = {"le"}


def test_it_names_every_number_with_its_labels_and_no_other() -> None:
    with house_at(IN_MEMORY) as house:
        furnished(house)
        house.get("/people/nobody")
        families = list(text_string_to_metric_families(house.client.get("/metrics").text))
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels if label not in HIDDEN
        }
        for family in families
        if family.name.startswith("custody_")
    }
    told = {
        found[0]: set(NAMES.findall(labels))
        for name, labels in ROW.findall(PAGE)
        if (found := NAMES.findall(name)) and found[0].startswith("custody_")
    }
    assert told == shown


def test_what_to_be_called_for_names_numbers_and_codes_that_exist() -> None:
    table = PAGE.partition("## What to be called for")[2]
    numbers = set(re.findall(r"custody_[a-z_]+", table))
    assert numbers
    assert numbers <= set(re.findall(r"^\| `(custody_[a-z_]+)`", PAGE, re.MULTILINE))
    codes = set(re.findall(r'code="([a-z-]+)"', table))
    assert codes
    assert codes <= {code for code, _, _ in catalogue()}
