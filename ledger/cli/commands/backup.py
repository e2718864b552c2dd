"""A copy of the ledger in one file, and a ledger made from such a file; either is verified once it is written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.options import AsJson, DatabaseUrl, settings_of
from ledger.cli.terminal import progress, say, show_document, show_lines

if TYPE_CHECKING:
    from ledger.audit.findings import Check

PROBLEMS_SHOWN_MAX: Final = 3
Copy = Annotated[Path, typer.Argument(metavar="PATH", help="The file that holds the copy.")]


def backup(path: Copy, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Copy an SQLite ledger into one new file, beside whoever serves it, and verify the copy. Ends with 3 if it fails.

    A copy that does not verify is kept all the same: it is what the ledger holds.
    """
    from ledger.store.backup import copy, put

    source, target = _ledger_file(database_url), path.resolve()
    if target.exists():
        raise CommandFailed(ExitCode.REFUSED, f"{target} is there already", next_="custody db backup ANOTHER-PATH")
    _require_folder(target)
    part = copy(source, target)
    head, root, problems = _verified(part, source)
    put(part, target)
    if problems:
        raise _not_verified(f"{target} is made, and the ledger it was made from is not sound", problems)
    _tell(f"{target} holds the ledger up to position {head}.", target, head, root, as_json=as_json)


def restore(path: Copy, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Make the SQLite ledger of the settings from a copy, where there is none yet. Ends with 3 if it does not verify.

    Then nothing is put in place.
    """
    from ledger.store.backup import copy, discard, leftovers, put
    from ledger.store.sqlite.file import WritingLock

    copied, target = path.resolve(), _ledger_file(database_url, must_exist=False)
    if not copied.exists():
        raise CommandFailed(ExitCode.UNREACHABLE, f"there is no file {copied}", next_="custody db restore PATH")
    _require_folder(target)
    lock = WritingLock(target)
    try:
        for found in (target, *leftovers(target)):
            if found.exists():
                raise CommandFailed(
                    ExitCode.REFUSED,
                    f"{found} is there already",
                    why="a ledger is never overwritten",
                    next_="move it away, or give another --database-url",
                )
        part = copy(copied, target)
        try:
            head, root, problems = _verified(part, copied)
            if problems:
                raise _not_verified(f"{copied} does not verify, and nothing was restored", problems)
            put(part, target)
        finally:
            discard(part)
    finally:
        lock.release()
    _tell(f"{target} is restored up to position {head}.", target, head, root, as_json=as_json)
    if not as_json:
        say("next: compare that with the last position that anybody was given; then custody serve")


def _ledger_file(database_url: str | None, *, must_exist: bool = True) -> Path:
    from ledger.store import LogIsMissing, engine_of
    from ledger.store.sqlite.file import path_of

    url = settings_of(database_url=database_url).database_url.get_secret_value()
    path = path_of(url) if engine_of(url) == "sqlite" else None
    if path is None:
        raise usage(
            "only a ledger in an SQLite file is copied by custody",
            next_="pg_dump --format=custom --exclude-schema=custody_views, for PostgreSQL",
        )
    if must_exist and not path.exists():
        raise LogIsMissing(str(path))
    return path


def _require_folder(target: Path) -> None:
    if not target.parent.is_dir():
        raise CommandFailed(
            ExitCode.UNREACHABLE, f"there is no folder {target.parent}", next_=f"mkdir -p {target.parent}"
        )


def _verified(part: Path, original: Path) -> tuple[int, str, list[str]]:
    """Head, root of the tree, and what is wrong with the rows; raises `CommandFailed` for what is no ledger."""
    from ledger.audit.rows import check_rows
    from ledger.audit.verify import check_store
    from ledger.store import LogIsMissing, open_log
    from ledger.store.backup import discard

    try:
        with closing(open_log(f"sqlite:///{part}", exclusive=False)) as log, progress("Verifying the copy") as bar:
            walked = check_rows(log, progress=bar.stage)
            checks = [check_store(log), walked.rows, walked.whole]
            return log.head(), walked.root, [text for check in checks for text in _problems(check)]
    except LogIsMissing:
        discard(part)
        raise CommandFailed(
            ExitCode.UNREACHABLE, f"there is no ledger in {original}", next_="give a file that custody db backup made"
        ) from None
    except BaseException:
        discard(part)
        raise


def _problems(check: Check) -> list[str]:
    return [
        f"{check.code}, {finding.subject}: expected {finding.expected}, found {finding.found}"
        for finding in check.findings
        if not finding.open
    ]


def _not_verified(what: str, problems: list[str]) -> CommandFailed:
    more = f"; and {len(problems) - PROBLEMS_SHOWN_MAX} more" if len(problems) > PROBLEMS_SHOWN_MAX else ""
    return CommandFailed(
        ExitCode.NOT_VERIFIED,
        what,
        why="; ".join(problems[:PROBLEMS_SHOWN_MAX]) + more,
        next_="custody audit verify --database-url sqlite:///PATH, which names every event",
    )


def _tell(text: str, target: Path, head: int, root: str, *, as_json: bool) -> None:
    if as_json:
        show_document({"path": str(target), "head": head, "root": root})
    else:
        show_lines([text])
        say(f"Every row equals its leaf; the tree over them has the root {root}")
