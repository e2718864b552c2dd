"""The audit on the command line: is the record whole, do the laws hold on it, do the views say what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode, usage
from ledger.cli.opening import opened, opened_log
from ledger.cli.options import AsJson, DatabaseUrl, settings_of
from ledger.cli.terminal import progress, say, show_document, show_lines, show_table
from ledger.cli.values import instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.audit.findings import Check, Finding
    from ledger.audit.replay import Replayed

audit = typer.Typer(no_args_is_help=True, help="The record: verified, replayed, and told event by event.")

CHECK_COLUMNS: Final = ("check", "result", "looked_at", "differences", "open", "title")
STATE_COLUMNS: Final = ("person", "status", "responsible", "custodian", "at", "basis", "confidence", "file")
SPELL_COLUMNS: Final = ("from", "to", "status", "responsible", "custodian", "at", "opened_by", "ended_by")
LINES_SHOWN_MAX: Final = 20


@audit.command("verify")
def verify(
    first: Annotated[int | None, typer.Option("--from", metavar="N", min=1, help="Begin at this position.")] = None,
    last: Annotated[int | None, typer.Option("--to", metavar="N", min=1, help="End at this position.")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Every check by name: rows against leaves, the laws of custody and money. Ends with 3 if one is broken.

    A range of positions is held against leaves and links alone; the laws speak of the whole record.
    """
    from ledger.audit.verify import verify as verified

    if first is not None and last is not None and last < first:
        raise usage("--to lies before --from")
    settings = settings_of(database_url=database_url)
    url = settings.database_url.get_secret_value()
    with opened(settings) as ledger, progress("Verifying") as bar:
        head = ledger.log.head()
        checks = verified(ledger.log, views=ledger.views, first=first or 1, last=last, progress=bar.stage, url=url)
    _tell_checks(checks, head, as_json=as_json)


@audit.command("replay")
def replay(
    to: Annotated[int | None, typer.Option("--to", metavar="N", min=1, help="Only the first N events.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="T", help="As it was true at T.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="One person, with the spells.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Hold every view against it, row by row.")] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Rebuild state from the events alone, and with --compare find what the views say otherwise. Then ends with 3."""
    from ledger.audit.replay import replay as replayed
    from ledger.audit.views import compare as compared

    settings = settings_of(database_url=database_url)
    if not compare:
        instants = instant("--as-of", as_of) if as_of is not None else None
        with opened_log(settings) as log, progress("Replaying") as bar:
            found = replayed(log, to=to, as_of=instants, person=person, progress=bar.stage)
        _tell_replayed(found, person, as_json=as_json)
        return
    if (to, as_of, person) != (None, None, None):
        raise usage("--compare holds all of every view against the events", next_="custody audit replay --compare")
    with opened(settings) as ledger, progress("Replaying") as bar:
        checks = compared(ledger.views, bar.stage)
        head = ledger.log.head()
    _tell_checks(checks, head, as_json=as_json)


@audit.command("show")
def show(
    position: Annotated[int | None, typer.Argument(help="One event, by its position.", metavar="[POSITION]")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="Everything about a person.")] = None,
    transfer: Annotated[str | None, typer.Option("--transfer", metavar="ID", help="All about a transfer.")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Events as sentences: one of them, or all about a person or a transfer, in recorded order."""
    from domain.refusals import PersonIsUnknown, TransferIsUnknown
    from ledger.audit.show import show as shown

    if [position, person, transfer].count(None) != 2:
        raise usage("say which events", next_="custody audit show POSITION, or --person ID, or --transfer ID")
    with opened_log(settings_of(database_url=database_url)) as log:
        found = shown(log, position=position, person=person, transfer=transfer)
        head = log.head()
    if not found and person is not None:
        raise PersonIsUnknown(person)
    if not found and transfer is not None:
        raise TransferIsUnknown(transfer)
    if not found:
        raise CommandFailed(
            ExitCode.REFUSED, f"there is no event at position {position}", why=f"the last one is at {head}"
        )
    if as_json:
        show_document({"items": [dict(item.document()) for item in found], "position": head})
    else:
        show_lines([item.line for item in found])


def _tell_checks(checks: Sequence[Check], head: int, *, as_json: bool) -> None:
    broken = {check.code: [one for one in check.findings if not one.open] for check in checks if not check.holds}
    found = [finding for findings in broken.values() for finding in findings]
    if as_json:
        documents = [dict(check.document()) for check in checks]
        show_document({"checks": documents, "differences": len(found), "holds": not broken, "position": head})
    else:
        show_table(CHECK_COLUMNS, [_counted(check) for check in checks])
        for check in checks:
            _tell_findings(check)
    if broken:
        # A finding about a link names both its ends; it is the later one that does not fit.
        positions = [finding.positions[-1] for finding in found if finding.positions]
        first = f"; the first bad event is at position {min(positions)}" if positions else ""
        raise CommandFailed(
            ExitCode.NOT_VERIFIED,
            f"{len(found)} difference{'s' * (len(found) != 1)}, in {', '.join(broken)}{first}",
            next_="custody projections rebuild --all --yes, if only views differ; else keep the database as evidence",
        )
    say(f"0 differences: everything that is kept holds, up to position {head}.")


def _counted(check: Check) -> dict[str, object]:
    known = sum(finding.open for finding in check.findings)
    return {**check.document(), "differences": len(check.findings) - known, "open": known}


def _tell_findings(check: Check) -> None:
    if check.note is not None:
        say(f"{check.code}: {check.note}")
    show_lines([f"{check.code}: {_sentence(finding)}" for finding in check.findings[:LINES_SHOWN_MAX]])
    if len(check.findings) > LINES_SHOWN_MAX:
        say(f"{check.code}: … and {len(check.findings) - LINES_SHOWN_MAX} more; --json has them all")


def _sentence(finding: Finding) -> str:
    at = f" at position {', '.join(map(str, finding.positions))}" if finding.positions else ""
    when = f" on {finding.instant}" if finding.instant is not None else ""
    known = " (open: known, and breaks nothing)" if finding.open else ""
    return f"{finding.subject}{at}{when}: expected {finding.expected}, found {finding.found}{known}"


def _tell_replayed(found: Replayed, person: str | None, *, as_json: bool) -> None:
    from domain.refusals import PersonIsUnknown

    if person is not None and not found.people:
        raise PersonIsUnknown(person)
    if as_json:
        show_document(dict(found.document()))
        return
    if found.people:
        show_table(STATE_COLUMNS, found.people)
    if found.timeline:
        show_table(SPELL_COLUMNS, found.timeline, title="spells")
    count = len(found.people)
    say(f"{count} {'person' if count == 1 else 'persons'} as of {found.as_of}, from the first {found.position} events")
