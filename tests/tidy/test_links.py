"""Links between the pages lead somewhere: each relative one names a file, and a place in it where it names one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.test_tidy import ROOT, files, text

PAGES = sorted(path for path in files() if path.suffix == ".md")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
NAMED = re.compile(r"`((?:docs|examples|deploy|tests|bench|domain|ledger|projections)/[\w./-]+\.\w+)`")


def _places(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, place in LINK.findall(text(page)):
        found = (ROOT / page.parent / target).resolve() if target else (ROOT / page).resolve()
        assert found.exists(), target
        assert not place or place in _places(found.relative_to(ROOT)), f"{target}#{place}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(NAMED.findall(text(page)))
    assert {name for name in named if not (ROOT / name).exists()} == set()
