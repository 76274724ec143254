"""Settings from the environment or `.env`, checked once at start."""

import os
import secrets
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.base.dns_server import DnsServer, parse_dns_server
from app.base.domain_names import encoded_domain, split_sender
from app.base.errors import AppError
from app.base.mail_server import MailServer, parse_mail_server

SECRET_KEY_MIN_LENGTH = 32
"""Characters; a key made by `secrets.token_urlsafe(32)` has 43."""
MIN_POOL = 6
"""Connections: `tenfold serve` divides them into four pools."""


class Environment(StrEnum):
    """Where the process runs; production refuses unsafe values at start."""

    development = "development"
    production = "production"


class EmailProvider(StrEnum):
    """Who sends e-mail; `outbox` stores it in the database and sends nothing."""

    outbox = "outbox"
    sendgrid = "sendgrid"
    smtp = "smtp"


class SmsProvider(StrEnum):
    """Who sends texts; `outbox` stores them in the database and sends nothing."""

    outbox = "outbox"
    twilio = "twilio"


class LogFormat(StrEnum):
    """How a log line is written."""

    console = "console"
    json = "json"


class Settings(BaseSettings):
    """Every `TENFOLD_…` setting, with the default an unset one takes."""

    model_config = SettingsConfigDict(
        env_prefix="TENFOLD_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr | None = None
    database_pool: int = Field(default=10, ge=MIN_POOL, le=1000)
    home: Path = Path(".tenfold")
    public_url: str = "http://127.0.0.1:8000"
    secret_key: SecretStr | None = None
    secret_keys_old: SecretStr | None = None
    env: Environment = Environment.development
    email_provider: EmailProvider = EmailProvider.outbox
    sendgrid_api_key: SecretStr | None = None
    sendgrid_base_url: str = "https://api.sendgrid.com"
    sendgrid_event_public_key: str | None = None
    smtp_url: SecretStr | None = None
    email_from: str | None = None
    dkim_selectors: str | None = None
    return_path_domain: str | None = None
    dns_server: str | None = None
    sms_provider: SmsProvider = SmsProvider.outbox
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_messaging_service_sid: str | None = None
    twilio_base_url: str = "https://api.twilio.com"
    local_platforms: bool = False
    unknown_grace_seconds: int = Field(default=900, ge=0)
    retain_delivery_days: int = Field(default=30, ge=1, le=3650)
    retain_visit_days: int = Field(default=90, ge=1, le=3650)
    retain_comment_months: int = Field(default=24, ge=1, le=120)
    journal_dir: Path | None = None
    log_format: LogFormat = LogFormat.console

    @field_validator("public_url", "sendgrid_base_url", "twilio_base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "must be an http(s) address such as https://nps.example.com, without query or fragment"
            )
        host = parts.hostname or ""
        if not host.isascii():
            # Headers of mails and signed addresses hold it, and both are ASCII.
            value = urlunsplit(parts._replace(netloc=_encoded(host, parts.port)))
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        """Only the scheme and the form are checked: the value holds a password."""
        text = value.get_secret_value() if value else "postgresql://"
        try:
            parts = urlsplit(text)
            usable = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
        except ValueError:
            usable = False
        if not usable or "://" not in text:
            raise ValueError("must be an address of PostgreSQL, as postgresql://user:password@host/database")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_mail_server(value.get_secret_value())
        return value

    @field_validator("email_from")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value and split_sender(value) is None:
            raise ValueError("must be an address such as hello@acme.example, or Acme <hello@acme.example>")
        return value or None

    @field_validator("return_path_domain")
    @classmethod
    def _domain(cls, value: str | None) -> str | None:
        return value.strip().rstrip(".").lower() if value else None

    @field_validator("dns_server")
    @classmethod
    def _name_server(cls, value: str | None) -> str | None:
        if value:
            parse_dns_server(value)
        return value or None

    @field_validator(
        "secret_key",
        "secret_keys_old",
        "database_url",
        "sendgrid_api_key",
        "sendgrid_event_public_key",
        "smtp_url",
        "twilio_auth_token",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        wants: dict[str, object] = {}
        if self.email_provider is EmailProvider.sendgrid:
            wants |= {"SENDGRID_API_KEY": self.sendgrid_api_key, "EMAIL_FROM": self.email_from}
        if self.email_provider is EmailProvider.smtp:
            wants |= {"SMTP_URL": self.smtp_url, "EMAIL_FROM": self.email_from}
        if self.sms_provider is SmsProvider.twilio:
            wants |= {
                "TWILIO_ACCOUNT_SID": self.twilio_account_sid,
                "TWILIO_AUTH_TOKEN": self.twilio_auth_token,
                "TWILIO_MESSAGING_SERVICE_SID": self.twilio_messaging_service_sid,
            }
        if self.database_url is not None:
            wants["SECRET_KEY"] = self.secret_key
        missing = [f"TENFOLD_{name}" for name, value in wants.items() if not value]
        if missing:
            raise ValueError(f"set {' and '.join(missing)}")
        if self.secret_key is not None and len(self.secret_key.get_secret_value()) < SECRET_KEY_MIN_LENGTH:
            raise ValueError(f"TENFOLD_SECRET_KEY must have at least {SECRET_KEY_MIN_LENGTH} characters")
        if self.env is Environment.production:
            self._refuse_unsafe()
        return self

    def _refuse_unsafe(self) -> None:
        if self.database_url is None:
            raise ValueError(
                "production needs TENFOLD_DATABASE_URL; the embedded database is for one machine's trials"
            )
        if not self.public_url.startswith("https://"):
            raise ValueError("production needs a TENFOLD_PUBLIC_URL that starts with https://")
        if self.local_platforms:
            raise ValueError(
                "production refuses TENFOLD_LOCAL_PLATFORMS: a shop's platform is never on this machine"
            )
        if self.email_provider is EmailProvider.sendgrid and not self.sendgrid_event_public_key:
            raise ValueError(
                "production needs TENFOLD_SENDGRID_EVENT_PUBLIC_KEY, or anybody could report deliveries"
            )

    @property
    def journal_path(self) -> Path:
        """Where the journal is kept."""
        return self.journal_dir or self.home / "journal"

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server of `TENFOLD_SMTP_URL`."""
        return parse_mail_server(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @property
    def dkim_selector_list(self) -> tuple[str, ...]:
        """The names of the keys with which mail is signed; empty for those of the provider."""
        return tuple(each.strip().lower() for each in (self.dkim_selectors or "").split(",") if each.strip())

    @property
    def name_server(self) -> DnsServer | None:
        """The name server to ask; None for the machine's own."""
        return parse_dns_server(self.dns_server) if self.dns_server else None

    @property
    def old_secret_keys(self) -> list[str]:
        """The former secret keys, which still open links and sealed secrets."""
        text = self.secret_keys_old.get_secret_value() if self.secret_keys_old else ""
        return [key.strip() for key in text.split(",") if key.strip()]

    @property
    def embedded(self) -> bool:
        """Whether the database is the one Tenfold starts by itself."""
        return self.database_url is None


def load_settings(**overrides: object) -> Settings:
    """Read the settings.

    Raises `AppError` (code `bad_settings`) that names each faulty setting, never its value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # values are checked by pydantic
    except ValidationError as error:
        text = "; ".join(_sentence(item["loc"], item["msg"]) for item in error.errors())
        raise AppError("bad_settings", f"The settings cannot be used: {text}.", status=500) from None


def _encoded(host: str, port: int | None) -> str:
    domain = encoded_domain(host)
    if domain is None:
        raise ValueError("must have the name of a host")
    return domain if port is None else f"{domain}:{port}"


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    name = f"TENFOLD_{str(where[0]).upper()}: " if where else ""
    return name + message.removeprefix("Value error, ")


def make_home(home: Path) -> Path:
    """Create `TENFOLD_HOME`, closed to other users, unless it exists; returns its absolute path.

    Raises `AppError` (`home_unusable`) where that is impossible.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home.resolve(strict=True)
    except OSError as error:
        raise AppError(
            "home_unusable",
            f"The home {home} cannot be made ({error.strerror}); set TENFOLD_HOME to a folder of this user.",
            status=503,
        ) from error


def embedded_secret_key(home: Path) -> str:
    """Return the installation's own key, created once and stored with mode 0600 in `home`.

    Processes that start together get the same one. Raises `AppError` (`home_unusable`) where it
    can be neither read nor stored.
    """
    path = make_home(home) / "secret_key"
    try:
        if not path.exists():
            _store_key(path)
        return path.read_text().strip()
    except OSError as error:
        raise AppError(
            "home_unusable", f"The secret key {path} cannot be used: {error.strerror}.", status=503
        ) from error


def _store_key(path: Path) -> None:
    draft = path.with_name(f"secret_key.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        # Linking fails where another process was first, and never leaves a half-written file.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
