"""Settings: environment variables `CUSTODY_*`, each with a flag twin on the command line."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ledger.observing.lines import Form, Level

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
    log_level: Level = "info"
    """The least that is told; a line a request is `info`, a batch `debug`."""
    log_format: Form = "auto"
    """`auto` is text on a terminal and JSON elsewhere."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Where `custody worker` answers `/metrics`, on `host`; nowhere, if left out."""
    trusted_hosts: str = ""
    """The names the service goes by, with commas between, beside `localhost` and plain addresses."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """A flag wins over a variable, that over a secret's file, that over `.env`."""
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings, file_secret_settings


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets from files: `CUSTODY_DATABASE_URL_FILE` names one whose content is the setting."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file a secret's variable names, without the newline at its end."""
        path = os.environ.get(file_variable(field_name)) if field.annotation is SecretStr else None
        return (Path(path).read_text(encoding="utf-8").rstrip("\r\n") if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every setting this source has a value for."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def file_variable(field_name: str) -> str:
    """The variable that names the file of a secret."""
    return f"{PREFIX}{field_name.upper()}_FILE"


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
    secrets = {file_variable(name) for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | secrets | NOT_SETTINGS
    names = [name for name in (os.environ if environ is None else environ) if name.startswith(PREFIX)]
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in names if name not in known}
