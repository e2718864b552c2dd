"""A copy of the ledger is whole, is made beside its server, and becomes a ledger again only where there is none."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.audit.intruder import Intruder
from tests.ledger.cli.running import answered, custody, url_of
from tests.ledger.cli.test_serving import served


def leaves(path: Path) -> list[tuple[object, ...]]:
    """Everything the log has recorded, row by row."""
    with closing(sqlite3.connect(path)) as file:
        queries = (
            "SELECT rowid, * FROM stored_events ORDER BY rowid",
            "SELECT * FROM leaves ORDER BY position",
            "SELECT * FROM idempotency ORDER BY authority, key",
        )
        return [row for query in queries for row in file.execute(query).fetchall()]


def test_a_copy_made_beside_the_server_becomes_the_same_ledger_again(copied: Path, tmp_path: Path) -> None:
    kept, anew = tmp_path / "kept.db", tmp_path / "anew.db"
    with served("serve", "--port", "0", "--database-url", url_of(copied)):
        made = answered("db", "backup", str(kept), url=url_of(copied))
    head = answered("db", "info", url=url_of(copied))["head"]
    assert made == {"path": str(kept), "head": head, "root": made["root"]}
    assert sorted(path.name for path in tmp_path.glob("kept*")) == ["kept.db"]
    # Not in WAL mode (the format's bytes 18 and 19): it can be read from where nothing can be written.
    assert kept.read_bytes()[18:20] == bytes([1, 1])
    assert answered("db", "restore", str(kept), url=url_of(anew)) == {**made, "path": str(anew)}
    assert leaves(anew) == leaves(kept) == leaves(copied)
    assert sorted(path.name for path in tmp_path.glob("*.part*")) == []
    for command in (("audit", "verify"), ("doctor",)):
        assert custody(*command, url=url_of(anew)).exit_code == 0
    told = custody("db", "restore", str(kept), url=url_of(tmp_path / "third.db"))
    assert f"up to position {head}" in told.stdout


def test_views_of_what_came_after_the_copy_are_made_anew(copied: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(copied)) as file:
        [(head,)] = file.execute("SELECT max(rowid) FROM stored_events")
    kept = tmp_path / "kept.db"
    assert custody("db", "backup", str(kept), url=url_of(copied)).exit_code == 0
    # What was recorded last is not in the copy, and the views have it.
    Intruder(url_of(kept)).run(
        ("DELETE FROM idempotency WHERE first_position + count > ?", (head,)),
        ("DELETE FROM leaves WHERE position = ?", (head,)),
        ("DELETE FROM stored_events WHERE rowid = ?", (head,)),
    )
    for name in ("custody.db", "custody.db-wal", "custody.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    kept.rename(copied)
    rows = answered("projections", "status", url=url_of(copied))["views"]
    assert {row["position"] for row in rows} == {head - 1}
    assert custody("projections", "verify", url=url_of(copied)).exit_code == 0


@pytest.mark.parametrize("there", ["custody.db", "custody.db-wal", "custody.db-journal"])
def test_nothing_is_overwritten(there: str, demo_folder: Path, demo_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    assert custody("db", "backup", str(kept), url=demo_url).exit_code == 0
    again = custody("db", "backup", str(kept), url=demo_url)
    assert (again.exit_code, again.stdout) == (6, "")
    (tmp_path / there).write_bytes(b"of somebody")
    refused = custody("db", "restore", str(kept), url=url_of(tmp_path / "custody.db"))
    assert (refused.exit_code, refused.stdout) == (6, "")
    assert there in refused.stderr
    assert (tmp_path / there).read_bytes() == b"of somebody"


def test_a_copy_that_does_not_verify_is_kept_and_not_restored(copied: Path, tmp_path: Path) -> None:
    Intruder(url_of(copied)).change("stored_events", "topic", "rowid = 7", lambda topic: f"{topic}x")
    kept, anew = tmp_path / "kept.db", tmp_path / "anew.db"
    made = custody("db", "backup", str(kept), url=url_of(copied))
    assert (made.exit_code, made.stdout) == (3, "")
    assert leaves(kept) == leaves(copied)
    restored = custody("db", "restore", str(kept), url=url_of(anew))
    assert (restored.exit_code, restored.stdout) == (3, "")
    assert "nothing was restored" in restored.stderr
    assert sorted(path.name for path in tmp_path.glob("anew*")) == ["anew.db.lock"]


def test_what_is_no_ledger_is_not_restored(demo_url: str, tmp_path: Path) -> None:
    url = url_of(tmp_path / "custody.db")
    (tmp_path / "text").write_text("of something else " * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as file:
        file.execute("CREATE TABLE t (x)")
    for name in ("text", "other.db", "missing"):
        result = custody("db", "restore", str(tmp_path / name), url=url)
        assert (result.exit_code, result.stdout) == (5, ""), result.stderr
    assert custody("db", "backup", str(tmp_path / "nowhere" / "x.db"), url=demo_url).exit_code == 5
    assert custody("db", "backup", str(tmp_path / "x.db"), url=url).exit_code == 5
    assert sorted(path.name for path in tmp_path.glob("custody.db*")) == ["custody.db.lock"]


def test_a_server_that_starts_meanwhile_is_not_run_over(demo_folder: Path, tmp_path: Path) -> None:
    anew = tmp_path / "anew.db"
    shutil.copy(demo_folder / "custody.db", anew)
    with served("serve", "--port", "0", "--database-url", url_of(anew)) as service:
        result = custody("db", "restore", str(demo_folder / "custody.db"), url=url_of(anew))
    assert result.exit_code == 5
    assert f"process {service.process.pid}" in result.stderr


def test_postgresql_has_tools_of_its_own(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        result = custody("db", command, str(tmp_path / "x"), url="postgresql://127.0.0.1:1/custody")
        assert result.exit_code == 2
        assert "pg_dump" in result.stderr
