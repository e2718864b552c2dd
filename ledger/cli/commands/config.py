"""The settings on the command line: what each one is, and which of the five places it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import typer

from ledger.cli.options import (
    AsJson,
    Auth,
    DatabaseUrl,
    Environment,
    Host,
    LogFormat,
    LogLevel,
    MetricsPort,
    Port,
    TrustedHosts,
    settings_of,
)
from ledger.cli.terminal import show_document, show_table

if TYPE_CHECKING:
    from ledger.settings import Settings

config = typer.Typer(no_args_is_help=True, help="The settings: what they are and where they come from.")

COLUMNS: Final = ("setting", "value", "source", "variable")
MASKED: Final = "********"


@config.command("show")
def show(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    environment: Environment = None,
    auth: Auth = None,
    trusted_hosts: TrustedHosts = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    metrics_port: MetricsPort = None,
    as_json: AsJson = False,
) -> None:
    """Each setting, its value and its source: flag, variable, secret file, .env or default. Secrets are masked."""
    given = {
        "host": host,
        "port": port,
        "database_url": database_url,
        "environment": environment,
        "auth": auth,
        "trusted_hosts": trusted_hosts,
        "log_level": log_level,
        "log_format": log_format,
        "metrics_port": metrics_port,
    }
    flags = {name: value for name, value in given.items() if value is not None}
    rows = told(settings_of(**flags), flags)
    if as_json:
        show_document({"settings": rows})
    else:
        show_table(COLUMNS, rows)


def told(settings: Settings, flags: Mapping[str, object]) -> list[dict[str, object]]:
    """A row for each setting; `flags` are those that were given, by field name."""
    from ledger.settings import PREFIX, Settings

    sources = sources_of(flags)
    return [
        {
            "setting": name,
            "value": _shown(name, getattr(settings, name)),
            "source": sources.get(name, "default"),
            "variable": f"{PREFIX}{name.upper()}",
        }
        for name in Settings.model_fields
    ]


def sources_of(flags: Mapping[str, object]) -> dict[str, str]:
    """Where each setting that is not left to its default comes from."""
    from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

    from ledger.settings import SecretFiles, Settings

    # From the weakest to the strongest, so that the strongest is the one left: the order of the settings themselves.
    found = {
        ".env": DotEnvSettingsSource(Settings)(),
        "secret file": SecretFiles(Settings)(),
        "variable": EnvSettingsSource(Settings)(),
        "flag": flags,
    }
    return {name: source for source, values in found.items() for name in values}


def _shown(name: str, value: object) -> object:
    from pydantic import SecretStr

    from ledger.cli.commands.database import shown_url

    if not isinstance(value, SecretStr):
        return value
    if name != "database_url":
        return MASKED
    try:
        return shown_url(value.get_secret_value())
    except ValueError:
        # It can't be taken apart, so nobody knows which part of it is the password.
        return MASKED
