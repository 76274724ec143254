"""Builds the parts of a process from the settings: database, providers and keys.

The only module that chooses adapters. A vendor's client is imported where it is chosen, so that a
process does not load the libraries of the others.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never
from urllib.parse import urlsplit

from app.base.config import EmailProvider, Environment, Settings, SmsProvider, embedded_secret_key
from app.base.context import AppContext
from app.base.db import Limits, make_engine, make_sessions
from app.base.domain_names import encoded_domain
from app.base.embedded import start_embedded
from app.base.errors import AppError, Fault, Outcome, OutsideError
from app.base.mail_server import parse_mail_server
from app.base.pools import QUEUE_CONNECTIONS, Pools
from app.base.precedence import Precedence
from app.base.secret_key import bind_key
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.account_rules import EXAMPLES, AccountEntry
from app.messaging.accounts import OwnAccount
from app.messaging.own_providers import OwnProviders
from app.messaging.providers.outbox.client import Outbox
from app.messaging.providers.protocol import Provider

if TYPE_CHECKING:
    from app.messaging.providers.sendgrid.client import SendGrid
    from app.messaging.providers.smtp.client import Smtp
    from app.messaging.providers.twilio.client import Twilio


TRY_SECONDS = 20.0
"""The longest that trying a brand's own account may take."""
OWN_SMTP_CONNECTIONS = 4
"""At a time, to one brand's own mail server."""


@dataclass(frozen=True)
class Parts:
    """Everything that a process works with."""

    context: AppContext
    providers: Mapping[Channel, Provider]
    own_providers: OwnProviders | None = None
    """Of brands with an account of their own; None where nothing is sent."""
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
async def open_context(
    settings: Settings, *, pools: Pools, limits: Limits, precedence: Precedence | None = None
) -> AsyncIterator[AppContext]:
    """Open the database's pools and keys; closes them at the end.

    `precedence` is that of another thread of the process, where there is one. Raises `AppError`
    (`foreign_key`) where the database was used with another secret key.
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
            precedence=precedence or Precedence(),
        )
    finally:
        await engine.dispose()
        for other in (hooks, providers):
            if other is not None:
                await other.dispose()


@asynccontextmanager
async def open_parts(
    settings: Settings, *, pools: Pools, limits: Limits, precedence: Precedence | None = None
) -> AsyncIterator[Parts]:
    """As `open_context`, for all parts of a process. Must be entered in the running loop."""
    async with open_context(settings, pools=pools, limits=limits, precedence=precedence) as context:
        providers = {Channel.email: _email(context), Channel.sms: _sms(context)}
        own = OwnProviders(context.tokens, lambda account: own_provider(context, account))
        try:
            yield Parts(context, providers, own, pools.queue)
        finally:
            await own.close()
            for provider in providers.values():
                await provider.close()


def own_provider(context: AppContext, account: OwnAccount) -> "SendGrid | Smtp | Twilio":
    """The client of a brand's own account. Must be called in the running loop."""
    settings, given = context.settings, account.credentials
    if account.provider == SmsProvider.twilio:
        from app.messaging.providers.twilio.client import Twilio  # noqa: PLC0415  # only if chosen

        return Twilio(
            context.tokens,
            account_sid=given["account_sid"],
            auth_token=given["auth_token"],
            messaging_service_sid=account.sender or "",
            base_url=settings.twilio_base_url,
            public_url=settings.public_url,
        )
    if account.provider == EmailProvider.smtp:
        return _own_smtp(settings, given["url"])
    from app.messaging.providers.sendgrid.client import SendGrid  # noqa: PLC0415  # only if chosen

    return SendGrid(context.tokens, api_key=given["api_key"], base_url=settings.sendgrid_base_url)


async def try_account(context: AppContext, brand_id: int, entry: AccountEntry, sender: str) -> None:
    """Call the provider with these credentials; nothing is sent, and no transaction may be open.

    Raises `AppError`: `provider_refused`, or `provider_unreachable` (503).
    """
    event_key = entry.credentials.get("event_public_key")
    if event_key is not None:
        from app.messaging.providers.sendgrid.events import is_public_key  # noqa: PLC0415  # only if used

        if not is_public_key(event_key):
            raise AppError(
                "bad_credentials", f"event_public_key is no key; give {EXAMPLES['event_public_key']}."
            )
    account = OwnAccount(
        brand_id, entry.channel, entry.provider, entry.account, entry.sender, entry.credentials
    )
    provider = own_provider(context, account)
    try:
        async with asyncio.timeout(TRY_SECONDS):
            error = await provider.check(sender)
    except TimeoutError:
        error = OutsideError(Outcome.unknown, "The provider did not respond.", fault=Fault.outage)
    finally:
        await provider.close()
    if error is None:
        return
    if error.outcome is Outcome.unknown or error.fault in {Fault.outage, Fault.busy}:
        raise AppError(
            "provider_unreachable",
            f"The account could not be tried ({error.reason}). Nothing was saved; try again later.",
            status=503,
            headers={"Retry-After": "60"},
        )
    raise AppError("provider_refused", f"The provider refused ({error.reason}). Nothing was saved.")


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
    return Smtp(server, host_name=_host_name(settings))


def _own_smtp(settings: Settings, url: str) -> "Smtp":
    """A brand's own mail server, which is never one of our own network."""
    from app.messaging.providers.smtp.client import Smtp  # noqa: PLC0415  # only if chosen
    from app.messaging.providers.smtp.connections import Reach  # noqa: PLC0415

    in_production = settings.env is Environment.production
    return Smtp(
        parse_mail_server(url),
        host_name=_host_name(settings),
        connections=OWN_SMTP_CONNECTIONS,
        reach=Reach.public if in_production else Reach.public_and_local,
    )


def _host_name(settings: Settings) -> str:
    host = urlsplit(settings.public_url).hostname or ""
    return encoded_domain(host) or "localhost"


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
