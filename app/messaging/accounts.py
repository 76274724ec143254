"""Brands' own accounts at providers. Credentials are stored sealed and never logged."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.account_rules import AccountEntry, circuit_of
from app.messaging.models import ProviderAccount, ProviderCircuit


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """A brand's account at a provider, with its credentials."""

    brand_id: int
    channel: Channel
    provider: str
    account: str
    sender: str | None
    credentials: Mapping[str, str]


async def save_account(
    session: AsyncSession, tokens: Tokens, brand_id: int, entry: AccountEntry, *, actor: Actor, now: datetime
) -> None:
    """Store the account in place of the one before; its circuit is closed.

    The audit log gets provider and account, never the credentials.
    """
    key = brand_id, entry.channel
    before = await session.get(ProviderAccount, key, with_for_update=True, populate_existing=True)
    was = (None, None) if before is None else (before.provider, before.account)
    values = {
        "provider": entry.provider,
        "account": entry.account,
        "sender": entry.sender,
        "sealed_credentials": tokens.seal(orjson.dumps(dict(entry.credentials)).decode()),
        "updated_at": now,
    }
    await session.execute(
        insert(ProviderAccount)
        .values(brand_id=brand_id, channel=entry.channel, **values)
        .on_conflict_do_update(index_elements=["brand_id", "channel"], set_=values)
    )
    await _close_circuits(session, brand_id, {entry.provider, was[0] or entry.provider})
    changes = {
        f"{entry.channel}_provider": (was[0], entry.provider),
        f"{entry.channel}_account": (was[1], entry.account),
    }
    await record_action(session, actor, AuditAction.provider_saved, ("brand", None), changes)


async def remove_account(session: AsyncSession, brand_id: int, channel: Channel, *, actor: Actor) -> bool:
    """Delete the brand's account; False where it had none."""
    provider = await session.scalar(
        delete(ProviderAccount)
        .where(ProviderAccount.brand_id == brand_id, ProviderAccount.channel == channel)
        .returning(ProviderAccount.provider)
    )
    if provider is None:
        return False
    await _close_circuits(session, brand_id, {provider})
    changes = {f"{channel}_provider": (provider, None)}
    await record_action(session, actor, AuditAction.provider_removed, ("brand", None), changes)
    return True


async def _close_circuits(session: AsyncSession, brand_id: int, providers: Collection[str]) -> None:
    names = [circuit_of(provider, brand_id) for provider in providers]
    await session.execute(delete(ProviderCircuit).where(ProviderCircuit.provider.in_(names)))


async def load_account_rows(session: AsyncSession, brand_ids: Collection[int]) -> list[ProviderAccount]:
    """The accounts of these brands, by brand and channel, their credentials sealed."""
    query = select(ProviderAccount).where(ProviderAccount.brand_id.in_(brand_ids))
    rows = await session.scalars(query.order_by(ProviderAccount.brand_id, ProviderAccount.channel))
    return list(rows)


async def channels_with_accounts(session: AsyncSession) -> set[Channel]:
    """The channels on which any brand has an account of its own."""
    return set(await session.scalars(select(ProviderAccount.channel).distinct()))


async def find_accounts(
    session: AsyncSession, tokens: Tokens, provider: str, account: str
) -> list[OwnAccount]:
    """The accounts of all brands with this name at the provider, which brands may share."""
    rows = await session.scalars(
        select(ProviderAccount)
        .where(ProviderAccount.account == account, ProviderAccount.provider == provider)
        .order_by(ProviderAccount.brand_id)
    )
    return [opened(tokens, row) for row in rows]


async def find_brands_account(
    session: AsyncSession, tokens: Tokens, slug: str, channel: Channel
) -> OwnAccount | None:
    """The account of the brand with this slug; None for an unknown brand and one without."""
    row = await session.scalar(
        select(ProviderAccount)
        .join(Brand, Brand.id == ProviderAccount.brand_id)
        .where(Brand.slug == slug, ProviderAccount.channel == channel)
    )
    return None if row is None else opened(tokens, row)


def opened(tokens: Tokens, row: ProviderAccount) -> OwnAccount:
    """The account with its credentials. Raises `ValueError` where no key of ours opens them."""
    credentials = orjson.loads(tokens.open(row.sealed_credentials))
    return OwnAccount(row.brand_id, row.channel, row.provider, row.account, row.sender, credentials)


async def reseal_accounts(session: AsyncSession, tokens: Tokens, brand_id: int) -> int:
    """Seal the credentials that are under a former key; returns how many were. Idempotent.

    Raises `ValueError` where one is under a key that is not known.
    """
    query = select(ProviderAccount).where(ProviderAccount.brand_id == brand_id)
    changed = 0
    for row in await session.scalars(query.order_by(ProviderAccount.channel).with_for_update()):
        if not tokens.is_present(row.sealed_credentials):
            row.sealed_credentials = tokens.seal(tokens.open(row.sealed_credentials))
            changed += 1
    await session.flush()
    return changed
