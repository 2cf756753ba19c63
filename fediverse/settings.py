"""Everything that an operator can set, read once at start and passed down.

The environment (``FEDIVERSE_*``) rules over ``fediverse.toml`` in the working folder, which holds the same names in
lower case. The secret key is made at first start and kept in the data folder.
"""

from __future__ import annotations

import os
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fediverse.urls import Urls

PREFIX = "FEDIVERSE_"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

Registrations = Literal["closed", "invite", "approval", "open"]


class SettingsError(Exception):
    """The settings contradict themselves or cannot be read; the message is for the operator."""


class Settings(BaseSettings):
    """One instance's settings. Frozen: a change takes a restart."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", toml_file="fediverse.toml", ignored_types=(cached_property,)
    )

    #: Where pages and ids live, such as ``https://social.example.com``. Never changes once federated.
    base_url: str = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
    #: What stands behind the @ in handles; the base URL's host (and port) unless set.
    domain: str = ""
    #: ``postgresql://…``; embedded SQLite in the data folder unless set.
    database_url: str = ""
    #: SQLite file, pictures and the secret live here.
    data_dir: Path = Path("data")
    #: Seals private keys, cookies and proxied addresses; made and kept in the data folder unless set.
    secret_key: str = ""
    #: Private addresses that may be reached, comma-separated: ``127.0.0.1:8001``, ``10.1.0.0/16``.
    allowed_private_addresses: str = ""
    #: Redis or Valkey, which carries events between processes once there is more than one: ``redis://…``.
    redis_url: str = ""
    #: Where pictures are stored: a folder's path or an S3 URL; ``media`` in the data folder unless set.
    media_url: str = ""
    #: Megabytes of files of other servers that are kept in ``cache`` in the data folder.
    media_cache_mb: int = Field(default=1024, ge=100)
    #: Days after which such a file is fetched again.
    media_cache_days: int = Field(default=7, ge=1)
    #: How mail is sent: ``smtp://user:password@host:587`` (with STARTTLS), ``smtps://host:465``, ``smtp://localhost:25``.
    smtp_url: str = ""
    #: The sender's address of that mail; ``no-reply`` at the domain unless set.
    mail_from: str = ""
    #: Addresses or networks of reverse proxies whose X-Forwarded-For and -Proto are believed.
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    #: A file of certificate authorities that are trusted besides the system's.
    ca_file: Path | None = None
    #: The bearer that may read /metrics from elsewhere than this machine.
    metrics_token: str = ""
    #: debug, info, warning or error.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    #: Who may make an account: closed, invite, approval or open.
    registrations: Registrations = "closed"
    #: Whether callers are limited in how much they may ask.
    rate_limits: Literal["on", "off"] = "on"

    @field_validator("base_url")
    @classmethod
    def _clean_base_url(cls, value: str) -> str:
        parts = urlsplit(value.strip().rstrip("/"))
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.username:
            raise ValueError("must look like https://social.example.com, with no path behind it")
        default = {"http": 80, "https": 443}[parts.scheme]
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = "" if parts.port in (None, default) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str) -> str:
        value = value.strip()
        if value and urlsplit(value).scheme not in {"redis", "rediss", "valkey", "valkeys", "unix"}:
            raise ValueError(
                "must look like redis://127.0.0.1:6379/0, valkey://…, rediss://… or unix:///run/redis.sock"
            )
        return value

    @field_validator("domain")
    @classmethod
    def _clean_domain(cls, value: str) -> str:
        value = value.strip().lower().rstrip(".")
        if value and ("/" in value or "@" in value or " " in value):
            raise ValueError("must be a host name such as example.com")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            fits = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if value and (not fits or parts.path.strip("/") or parts.query):
            raise ValueError("must look like smtp://user:password@mail.example.com:587 or smtps://mail.example.com:465")
        return value.strip()

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s<>,;:\"\\\x00-\x1f\x7f]{1,64}@[^@\s<>,;:\"\\\x00-\x1f\x7f]{1,255}", value):
            raise ValueError("must be an e-mail address such as no-reply@example.com, without a name")
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then fediverse.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @cached_property
    def urls(self) -> Urls:
        """Builds this instance's URLs."""
        return Urls(self.base_url, self.domain or urlsplit(self.base_url).netloc)

    @cached_property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'fediverse.db'}"
        scheme, _, rest = self.database_url.partition("://")
        if scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
            return f"postgresql+psycopg://{rest}"
        return self.database_url

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is in use."""
        return self.database.startswith("sqlite")

    @cached_property
    def media(self) -> str:
        """The folder or bucket of pictures."""
        return self.media_url or str((self.data_dir / "media").resolve())

    @cached_property
    def workplace(self) -> Path:
        """The folder for files that are being taken in or converted."""
        return self.data_dir.resolve() / "work"

    @cached_property
    def secret(self) -> bytes:
        """The instance secret: the setting, else the one kept in the data folder (made if there is none)."""
        if self.secret_key:
            if len(self.secret_key) < 32:
                raise SettingsError("FEDIVERSE_SECRET_KEY is too short: use at least 32 characters.")
            return self.secret_key.encode()
        path = self.data_dir / "secret"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            kept = path.read_text().strip()
            if len(kept) < 32:
                raise SettingsError(f"{path} does not hold a secret: restore it from your backup.") from None
            return kept.encode()
        with os.fdopen(descriptor, "w") as file:
            made = secrets.token_urlsafe(48)
            file.write(made + "\n")
            file.flush()
            os.fsync(file.fileno())
        return made.encode()

    @property
    def sends_mail(self) -> bool:
        """Whether mail can be sent, so that addresses are confirmed and lost passwords renewed by it."""
        return bool(self.smtp_url)

    @property
    def secure(self) -> bool:
        """Whether pages are reached by https."""
        return self.base_url.startswith("https:")


def load(**overrides: Any) -> Settings:
    """The settings from arguments, environment and file.

    Raises SettingsError with a sentence per wrong value; an unknown ``FEDIVERSE_`` name is such a value, since a
    misspelt setting that is silently ignored is worse than a refusal.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"There is no setting {', '.join(unknown)}: see 'Settings' in the README for the names.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(e["loc"], e["msg"]) for e in error.errors())) from error


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    name = ".".join(str(part) for part in location)
    return f"{PREFIX}{name.upper()}: {text}" if name else text
