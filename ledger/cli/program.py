"""The whole command line: every command by its group, and the one place where an exception becomes an exit code."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any, Final

import typer
from typer.core import TyperGroup

from ledger.cli.commands.about import version
from ledger.cli.commands.audit import audit
from ledger.cli.commands.backup import backup, restore
from ledger.cli.commands.config import config
from ledger.cli.commands.database import db
from ledger.cli.commands.doctor import doctor
from ledger.cli.commands.document import openapi
from ledger.cli.commands.importing import import_
from ledger.cli.commands.money import balances, invoices
from ledger.cli.commands.people import people
from ledger.cli.commands.running.demo import demo
from ledger.cli.commands.running.health import healthcheck
from ledger.cli.commands.running.serving import serve
from ledger.cli.commands.running.worker import worker
from ledger.cli.commands.upkeep import projections
from ledger.cli.commands.view import FREE_FILTERS, VIEWS_TOLD, view
from ledger.cli.exits import ExitCode, failure_of
from ledger.cli.terminal import say, tell_failure

LEFT_TO_THE_PARSER: Final = (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError)
"""Wrong calls that the parser finds and tells itself (as usage, 2), and ends that are no failure."""


class Custody(TyperGroup):
    """The root command: whatever a command raises ends here."""

    # The parser's context is of a private type.
    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises `typer.Exit` with the code of API §4."""
        try:
            return super().invoke(ctx)
        except LEFT_TO_THE_PARSER:
            raise
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:
            failure = failure_of(error)
            tell_failure(failure)
            raise typer.Exit(failure.exit_code) from error


program = typer.Typer(
    name="custody",
    cls=Custody,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Custody Ledger: who holds whom, where, on what ground, until when, and who owes what.",
    epilog="Exit codes: 0 ok, 1 unexpected, 2 usage, 3 verification failed, 4 view behind or stalled, "
    "5 something could not be reached or decided, 6 refused, 130 interrupted.",
)


@program.callback()
def root() -> None:
    """Prepare the streams; a sign that one can't show must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


program.command("demo")(demo)
program.command("serve")(serve)
program.command("worker")(worker)
program.command("import")(import_)
program.add_typer(audit, name="audit")
program.add_typer(projections, name="projections")
program.add_typer(people, name="people")
program.command("view", context_settings=dict(FREE_FILTERS), epilog=VIEWS_TOLD)(view)
program.add_typer(balances, name="balances")
program.add_typer(invoices, name="invoices")
db.command("backup")(backup)
db.command("restore")(restore)
program.add_typer(db, name="db")
program.add_typer(config, name="config")
program.command("doctor")(doctor)
program.command("healthcheck")(healthcheck)
program.command("openapi")(openapi)
program.command("version")(version)
