"""Erase a person in this package's tables: as a referrer, and as a friend."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids, recordset
from app.base.tokens import Tokens
from app.orders.erase import replace_codes
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.placing.placements import place_again_of
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.rules import REASON_WORDS, PublicationState
from app.referrals.shop_credit.holdings import erase_credit


async def erase_referrals(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_ids: Collection[UUID], *, now: datetime
) -> None:
    """Revoke these customers' share links and codes, and keep amounts without a name.

    A code may contain a first name, so a surrogate replaces it. A friend's address is replaced by
    its keyed hash, which still prevents a second use and cannot be read. Idempotent.
    """
    ids = sorted(set(customer_ids))
    unsynchronized = {"synchronize_session": False}
    revoked = await session.scalars(
        update(Referrer)
        .values(revoked_at=func.coalesce(Referrer.revoked_at, now))
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, ids))
        .returning(Referrer.id)
        .execution_options(**unsynchronized)
    )
    referrer_ids = revoked.all()
    await _replace_codes(session, tokens, brand_id, referrer_ids, now=now)
    await place_again_of(session, brand_id, referrer_ids=referrer_ids, now=now)
    await erase_credit(session, brand_id, referrer_ids, now=now)
    await _erase_reasons(session, brand_id, ids, referrer_ids)
    await _erase_friends(session, tokens, brand_id, ids)


async def _replace_codes(
    session: AsyncSession, tokens: Tokens, brand_id: int, referrer_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Put a surrogate in the place of these referrers' codes, and keep a keyed hash of each."""
    found = await session.execute(
        select(Code.id, Code.code)
        .where(Code.brand_id == brand_id, in_ids(Code.referrer_id, referrer_ids), Code.erased_key.is_(None))
        .order_by(Code.id)
        .with_for_update(key_share=True)
    )
    rows = found.all()
    hashes = [{"id": row.id, "erased_key": code_hash(tokens, row.code)} for row in rows]
    if not hashes:
        return
    given = recordset(hashes, [Code.id, Code.erased_key])
    surrogate = surrogate_of(Code.id)
    await session.execute(
        update(Code)
        .values(
            code=surrogate,
            display=surrogate,
            erased_key=given.c.erased_key,
            active=False,
            disabled_at=func.coalesce(Code.disabled_at, now),
        )
        .where(Code.brand_id == brand_id, Code.id == given.c.id)
        .execution_options(synchronize_session=False)
    )
    await _take_out_of_shops(session, brand_id, [row.id for row in rows], now=now)


async def _take_out_of_shops(
    session: AsyncSession, brand_id: int, ids: Sequence[UUID], *, now: datetime
) -> None:
    """Have the shops lose these codes, and put surrogates where they are known here."""
    publications = (CodePublication.brand_id == brand_id, in_ids(CodePublication.code_id, ids))
    await lock_publications(session, *publications)
    await revoke_publications(session, brand_id, ids, now=now)
    # What is in a shop under no id that we know is found there by the code: it goes with it.
    await session.execute(
        update(CodePublication)
        .values(code=surrogate_of(CodePublication.code_id))
        .where(
            *publications,
            (CodePublication.state != PublicationState.revoking) | CodePublication.remote_id.is_not(None),
        )
        .execution_options(synchronize_session=False)
    )


def surrogate_of(code_id: InstrumentedAttribute[UUID]) -> ColumnElement[str]:
    """What stands where a code was that may have a first name in it: its id, as a code looks."""
    return func.upper(func.replace(cast(code_id, Text), "-", ""))


def code_hash(tokens: Tokens, code: str) -> bytes:
    """The keyed hash of a code in comparable form."""
    return tokens.address_key(f"code/{code}")


async def find_erased_codes(
    session: AsyncSession, tokens: Tokens, brand_id: int, codes: Collection[str]
) -> dict[str, str]:
    """Those of these codes (as compared) that an erased referrer had, with their surrogates."""
    if not codes:
        return {}
    known = await session.scalar(
        select(exists().where(Code.brand_id == brand_id, Code.erased_key.is_not(None)))
    )
    if not known:
        return {}
    hashes = {code_hash(tokens, code): code for code in codes}
    given = recordset([{"erased_key": key} for key in sorted(hashes)], [Code.erased_key])
    rows = await session.execute(
        select(Code.erased_key, Code.code).where(
            Code.brand_id == brand_id, Code.erased_key == given.c.erased_key
        )
    )
    return {hashes[bytes(row.erased_key)]: row.code for row in rows}


async def replace_erased_codes(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_ids: Collection[UUID]
) -> list[UUID]:
    """Put the surrogates of these referrers' codes into the orders that carry the codes.

    Returns the friends: the customers of all orders that carry, or carried, one of the codes. An
    order that redeemed nothing (a test, imported history, one with two codes) counts as well.
    """
    rows = await session.scalars(
        select(Code.code)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .where(
            Code.brand_id == brand_id,
            Code.erased_key.is_not(None),
            in_ids(Referrer.customer_id, sorted(customer_ids)),
        )
    )
    surrogates = set(rows)
    if not surrogates:
        return []
    friends = await replace_codes(
        session,
        brand_id,
        lambda codes: find_erased_codes(session, tokens, brand_id, codes),
        surrogates=surrogates,
    )
    return sorted(friends)


async def _erase_reasons(
    session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID], referrer_ids: Sequence[UUID]
) -> None:
    """Replace a person's own words about these people's redemptions; words of ours stay."""
    await session.execute(
        update(Redemption)
        .values(reason=ERASED)
        .where(
            Redemption.brand_id == brand_id,
            or_(in_ids(Redemption.friend_id, customer_ids), in_ids(Redemption.referrer_id, referrer_ids)),
            Redemption.reason.not_in([*REASON_WORDS, ERASED]),
        )
        .execution_options(synchronize_session=False)
    )


async def _erase_friends(session: AsyncSession, tokens: Tokens, brand_id: int, ids: list[UUID]) -> None:
    rows = await session.scalars(
        select(Redemption)
        .where(Redemption.brand_id == brand_id, in_ids(Redemption.friend_id, ids))
        .order_by(Redemption.id)
        .with_for_update(key_share=True)
    )
    for redemption in rows:
        redemption.friend_email_key = _hidden(tokens, redemption.friend_email_key)
        redemption.friend_phone = _hidden(tokens, redemption.friend_phone)
    await session.flush()


def _hidden(tokens: Tokens, address: str | None) -> str | None:
    """The keyed hash of an address; a hash is returned unchanged."""
    if address is None or address.startswith(_HIDDEN):
        return address
    return hidden_address(tokens, address)


def hidden_address(tokens: Tokens, address: str) -> str:
    """What stands in a redemption for an erased friend's address or number."""
    return _HIDDEN + tokens.address_key(address).hex()


_HIDDEN = "hidden:"
ERASED = "erased"
"""Stands for a person's own words about a redemption of somebody who was erased."""
