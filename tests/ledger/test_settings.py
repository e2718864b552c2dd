"""Settings come from flags, variables, secrets' files and `.env`, in that order; a misspelt one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.settings import Settings, StartRefused, check_start, unknown_names


def url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("postgresql://ledger:secret@db/custody\n")
    monkeypatch.delenv("CUSTODY_DATABASE_URL", raising=False)
    monkeypatch.setenv("CUSTODY_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert url(Settings()) == "postgresql://ledger:secret@db/custody"
    assert "secret" not in repr(Settings())
    monkeypatch.setenv("CUSTODY_DATABASE_URL", "sqlite:///a.db")
    assert url(Settings()) == "sqlite:///a.db"
    assert url(Settings.model_validate({"database_url": "sqlite:///b.db"})) == "sqlite:///b.db"


def test_a_misspelt_variable_is_named_with_what_it_resembles() -> None:
    given = {"CUSTODY_DATABASE_ULR": "x", "CUSTODY_PORT": "1", "CUSTODY_DATABASE_URL_FILE": "f", "PATH": "p"}
    assert unknown_names(given) == {"CUSTODY_DATABASE_ULR": "CUSTODY_DATABASE_URL"}


def test_production_does_not_start_without_a_way_to_know_actors() -> None:
    check_start(Settings.model_validate({"environment": "development"}))
    with pytest.raises(StartRefused):
        check_start(Settings.model_validate({"environment": "production"}))
