"""Options that many commands share, and the settings they make: a flag wins over its variable, that over `.env`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ledger.cli.exits import CommandFailed, ExitCode
from ledger.cli.terminal import warn

if TYPE_CHECKING:
    from ledger.settings import Settings

SETTINGS = "Settings"

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="sqlite:///PATH or postgresql://… (CUSTODY_DATABASE_URL; sqlite:///custody.db).",
        rich_help_panel=SETTINGS,
    ),
]
Environment = Annotated[
    Literal["development", "production"] | None,
    typer.Option("--environment", help="CUSTODY_ENVIRONMENT; development.", rich_help_panel=SETTINGS),
]
Auth = Annotated[
    Literal["none"] | None,
    typer.Option("--auth", help="How actors are known (CUSTODY_AUTH; none).", rich_help_panel=SETTINGS),
]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDRESS", help="CUSTODY_HOST; 127.0.0.1.", rich_help_panel=SETTINGS),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="CUSTODY_PORT; 8000. 0 takes any free one.", rich_help_panel=SETTINGS
    ),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option("--log-level", help="The least that is told (CUSTODY_LOG_LEVEL; info).", rich_help_panel=SETTINGS),
]
LogFormat = Annotated[
    Literal["auto", "json", "text"] | None,
    typer.Option(
        "--log-format",
        help="CUSTODY_LOG_FORMAT; auto, which is text on a terminal and JSON elsewhere.",
        rich_help_panel=SETTINGS,
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        help="Where the worker answers /metrics (CUSTODY_METRICS_PORT; nowhere). 0 takes any free one.",
        rich_help_panel=SETTINGS,
    ),
]
TrustedHosts = Annotated[
    str | None,
    typer.Option(
        "--trusted-hosts",
        metavar="NAMES",
        help="Names the service goes by, with commas between (CUSTODY_TRUSTED_HOSTS; localhost and addresses alone).",
        rich_help_panel=SETTINGS,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document with sorted keys.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="T", help="When it was true: a time with its offset. Now, if left out."),
]
KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at", metavar="T|N", help="What had been recorded by then: a time or a position. All, if left out."
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many rows.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do what cannot be undone without asking.")]

WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input is closed.")]


def settings_of(**flags: str | int | None) -> Settings:
    """The settings of this process; `flags` are those given on the command line, by field name.

    Warns about variables that look like settings and are none. Raises pydantic's `ValidationError`, and `CommandFailed`
    for a secret's file that can't be read.
    """
    from ledger.settings import Settings, unknown_names

    for name, like in unknown_names().items():
        warn(f"{name} is no setting" + (f"; did you mean {like}?" if like is not None else ""))
    try:
        return Settings.model_validate({name: value for name, value in flags.items() if value is not None})
    except OSError as error:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            "the file of a secret can't be read",
            why=f"{error.filename}: {error.strerror}",
            next_="correct the variable that names it, CUSTODY_DATABASE_URL_FILE",
        ) from error
