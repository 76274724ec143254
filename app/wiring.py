"""Builds the parts of a process from the settings: database, providers and keys.

The only module that chooses adapters. A vendor's client is imported where it is chosen, so that a
process does not load the libraries of the others.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never
from urllib.parse import urlsplit

from app.base.config import EmailProvider, Settings, SmsProvider, embedded_secret_key
from app.base.context import AppContext
from app.base.db import Limits, make_engine, make_sessions
from app.base.embedded import start_embedded
from app.base.pools import QUEUE_CONNECTIONS, Pools
from app.base.secret_key import bind_key
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.providers.outbox.client import Outbox
from app.messaging.providers.protocol import Provider

if TYPE_CHECKING:
    from app.messaging.providers.smtp.client import Smtp


@dataclass(frozen=True)
class Parts:
    """Everything that a process works with."""

    context: AppContext
    providers: Mapping[Channel, Provider]
    queue_connections: int = QUEUE_CONNECTIONS
    """The queue engine's own, in a worker."""


def database_url_of(settings: Settings) -> str:
    """The database's address; starts or joins the embedded one where none is set."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return start_embedded(settings.home)


def secret_key_of(settings: Settings) -> str:
    """The installation's key; created once in the home where none is set."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return embedded_secret_key(settings.home)


@asynccontextmanager
async def open_context(settings: Settings, *, pools: Pools, limits: Limits) -> AsyncIterator[AppContext]:
    """Open the database's pools and keys; closes them at the end.

    Raises `AppError` (`foreign_key`) where the database was used with another secret key.
    """
    url = database_url_of(settings)
    engine = make_engine(url, pool_size=pools.main, limits=limits)
    hooks, providers = (
        make_engine(url, pool_size=size, name=f"tenfold {name}", limits=limits) if size else None
        for name, size in (("hooks", pools.hooks), ("providers", pools.providers))
    )
    tokens = Tokens(secret_key_of(settings), settings.old_secret_keys)
    try:
        await bind_key(engine, tokens)
        yield AppContext(
            settings,
            engine,
            make_sessions(engine),
            tokens,
            url,
            hook_sessions=None if hooks is None else make_sessions(hooks),
            provider_sessions=None if providers is None else make_sessions(providers),
        )
    finally:
        await engine.dispose()
        for other in (hooks, providers):
            if other is not None:
                await other.dispose()


@asynccontextmanager
async def open_parts(settings: Settings, *, pools: Pools, limits: Limits) -> AsyncIterator[Parts]:
    """Open all parts of a process; closes them at the end. Must be entered in the running loop."""
    async with open_context(settings, pools=pools, limits=limits) as context:
        providers = {Channel.email: _email(context), Channel.sms: _sms(context)}
        try:
            yield Parts(context, providers, pools.queue)
        finally:
            for provider in providers.values():
                await provider.close()


def _email(context: AppContext) -> Provider:
    settings = context.settings
    match settings.email_provider:
        case EmailProvider.outbox:
            return Outbox(context)
        case EmailProvider.smtp:
            return smtp_of(settings)
        case EmailProvider.sendgrid:
            return _sendgrid(context)
        case _:
            assert_never(settings.email_provider)


def _sendgrid(context: AppContext) -> Provider:
    from app.messaging.providers.sendgrid.client import SendGrid  # noqa: PLC0415  # only if chosen

    settings = context.settings
    assert settings.sendgrid_api_key is not None  # noqa: S101  # the settings refuse to load otherwise
    return SendGrid(
        context.tokens,
        api_key=settings.sendgrid_api_key.get_secret_value(),
        base_url=settings.sendgrid_base_url,
    )


def smtp_of(settings: Settings) -> "Smtp":
    """The mail server that the settings name. Must be called in the running loop."""
    from app.messaging.providers.smtp.client import Smtp  # noqa: PLC0415  # only if chosen

    server = settings.mail_server
    assert server is not None  # noqa: S101  # the settings refuse to load otherwise
    return Smtp(server, host_name=urlsplit(settings.public_url).hostname or "localhost")


def _sms(context: AppContext) -> Provider:
    settings = context.settings
    match settings.sms_provider:
        case SmsProvider.outbox:
            return Outbox(context)
        case SmsProvider.twilio:
            return _twilio(context)
        case _:
            assert_never(settings.sms_provider)


def _twilio(context: AppContext) -> Provider:
    from app.messaging.providers.twilio.client import Twilio  # noqa: PLC0415  # only if chosen

    settings = context.settings
    assert settings.twilio_account_sid  # noqa: S101  # the settings refuse to load otherwise
    assert settings.twilio_auth_token  # noqa: S101
    assert settings.twilio_messaging_service_sid  # noqa: S101
    return Twilio(
        context.tokens,
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        messaging_service_sid=settings.twilio_messaging_service_sid,
        base_url=settings.twilio_base_url,
        public_url=settings.public_url,
    )
