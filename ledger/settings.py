"""Settings: environment variables `CUSTODY_*`, each with a flag twin on the command line."""

from __future__ import annotations

import difflib
import os
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "CUSTODY_"
NOT_SETTINGS = frozenset({"CUSTODY_TEST_DATABASE_URL"})


class Settings(BaseSettings):
    """What a ledger process is told about its surroundings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("sqlite:///custody.db")
    """`sqlite:///PATH`, `sqlite:///:memory:` or `postgresql://…`; it may hold a password and is never shown whole."""
    environment: Literal["development", "production"] = "development"
    auth: Literal["none"] = "none"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)


class StartRefused(Exception):
    """The settings contradict each other; the message says what to change."""


def check_start(settings: Settings) -> None:
    """Raise `StartRefused` for settings no ledger may run with."""
    if settings.environment == "production" and settings.auth == "none":
        raise StartRefused(
            "CUSTODY_ENVIRONMENT=production with CUSTODY_AUTH=none: anybody who reaches the port could act for "
            "anybody. This version has no other way to know an actor, so run it in development only."
        )


def unknown_names(environ: dict[str, str] | None = None) -> dict[str, str | None]:
    """Variables that look like settings and are none, each with the setting it resembles most."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    names = [name for name in (os.environ if environ is None else environ) if name.startswith(PREFIX)]
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in names if name not in known}
