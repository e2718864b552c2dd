"""The settings as they are told: each with the place it comes from, none with its secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.settings import Settings
from tests.ledger.cli.running import custody

SECRET = "postgresql://ann:hidden@db.example:5432/custody?password=hidden&sslmode=require"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the test's own, where a `.env` may lie."""
    monkeypatch.chdir(tmp_path)


def told(*arguments: str, url: str | None = None, **variables: str) -> dict[str, tuple[object, str]]:
    """Value and source of each setting."""
    result = custody("config", "show", "--json", *arguments, url=url, **variables)
    assert result.exit_code == 0, result.stderr
    return {row["setting"]: (row["value"], row["source"]) for row in json.loads(result.stdout)["settings"]}


def test_every_setting_is_told_and_is_a_default_where_nobody_set_it() -> None:
    found = told()
    assert list(found) == list(Settings.model_fields)
    assert found["database_url"] == ("sqlite:///custody.db", "default")
    assert {source for _, source in found.values()} == {"default"}


def test_each_source_wins_over_those_below_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CUSTODY_PORT=1\nCUSTODY_DATABASE_URL=sqlite:///1.db\nCUSTODY_HOST=::1\n")
    (tmp_path / "url").write_text("sqlite:///2.db\n")
    file = str(tmp_path / "url")
    assert told()["database_url"] == ("sqlite:///1.db", ".env")
    assert told(CUSTODY_DATABASE_URL_FILE=file)["database_url"] == ("sqlite:///2.db", "secret file")
    given = told(url="sqlite:///3.db", CUSTODY_DATABASE_URL_FILE=file, CUSTODY_PORT="3")
    assert (given["database_url"], given["port"]) == (("sqlite:///3.db", "variable"), (3, "variable"))
    given = told("--database-url", "sqlite:///4.db", "--port", "4", url="sqlite:///3.db", CUSTODY_PORT="3")
    assert (given["database_url"], given["port"]) == (("sqlite:///4.db", "flag"), (4, "flag"))
    assert given["host"] == ("::1", ".env")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SECRET, "postgresql://ann@db.example:5432/custody"),
        ("postgresql://ann:hidden@db:no-port/x?password=hidden", "postgresql://ann@db:no-port/x"),
    ],
)
def test_no_secret_is_printed(url: str, shown: str) -> None:
    result = custody("config", "show", url=url)
    assert result.exit_code == 0
    assert shown in result.stdout
    assert "hidden" not in result.stdout + result.stderr


def test_what_may_not_start_is_told_all_the_same() -> None:
    assert told(CUSTODY_ENVIRONMENT="production")["environment"] == ("production", "variable")


def test_a_wrong_setting_is_a_wrong_call() -> None:
    assert custody("config", "show", CUSTODY_PORT="x").exit_code == 2
