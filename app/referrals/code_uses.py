"""Count the uses of codes: taken by an order, given back by its cancellation, taken again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, in_texts
from app.referrals.candidates import counts_at
from app.referrals.models import Code, Redemption
from app.referrals.publishing.revoke import revoke_unused

_TAKE = text("""
    UPDATE codes SET uses = uses + taken.count, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS integer[])) AS taken (id, count)
    WHERE codes.brand_id = :brand_id AND codes.id = taken.id AND uses + taken.count <= max_uses
    RETURNING codes.id, NOT redeemable AND uses = max_uses AS is_spent_link
""")


async def take_uses(session: AsyncSession, brand_id: int, won: Mapping[UUID, int], *, now: datetime) -> None:
    """Count the uses of locked codes, parents included; a negative number gives some back.

    Where a link is used up by them, the other codes that its friends were given leave the shop. The
    condition repeats what the lock guarantees: where it fails the batch is rolled back.
    """
    if not won:
        return
    given = {"brand_id": brand_id, "ids": list(won), "counts": list(won.values())}
    taken = (await session.execute(_TAKE, given)).all()
    if len(taken) != len(won):
        raise RuntimeError("a code was used up while it was locked")
    spent = [row.id for row in taken if row.is_spent_link]
    if spent:
        await revoke_unused(session, brand_id, spent, now=now)


_GIVE_BACK = text("""
    UPDATE codes SET uses = codes.uses - given.count, updated_at = clock_timestamp()
    FROM (
        SELECT counted.id, count(*) AS count
        FROM redemptions
        JOIN codes AS used ON used.brand_id = redemptions.brand_id AND used.id = redemptions.code_id
        CROSS JOIN LATERAL (VALUES (used.id), (used.parent_id)) AS counted (id)
        WHERE redemptions.brand_id = :brand_id AND redemptions.id = ANY(CAST(:ids AS uuid[]))
        GROUP BY 1
    ) AS given
    WHERE codes.brand_id = :brand_id AND codes.id = given.id
""")


async def give_back(session: AsyncSession, brand_id: int, redemptions: Sequence[Redemption]) -> None:
    """Give the use of each of these redemptions back to its code and that code's parent.

    Both are locked (`lock_codes`); the caller clears `holds_use`.
    """
    if redemptions:
        given = {"brand_id": brand_id, "ids": [each.id for each in redemptions]}
        await session.execute(_GIVE_BACK, given)


async def take_uses_again(
    session: AsyncSession, brand_id: int, redemptions: Sequence[Redemption], *, now: datetime
) -> None:
    """Have these locked redemptions hold their uses again, where nobody else has taken them since.

    Their codes are locked. One whose code is used up, or whose friend has used another code
    meanwhile, is left as it is; of several the earlier ones come first.
    """
    if not redemptions:
        return
    codes = await _codes_of(session, brand_id, redemptions)
    friends = await _friends_with_uses(session, brand_id, redemptions)
    uses: Counter[UUID] = Counter()
    for redemption in sorted(redemptions, key=lambda each: each.id):
        counted, friend = counts_at(codes[redemption.code_id]), _friend_of(redemption)
        are_left = all(codes[each].uses + uses[each] < codes[each].max_uses for each in counted)
        if are_left and friend.isdisjoint(friends):
            redemption.holds_use = True
            friends |= friend
            uses.update(counted)
    await session.flush()
    await take_uses(session, brand_id, uses, now=now)


async def _codes_of(
    session: AsyncSession, brand_id: int, redemptions: Sequence[Redemption]
) -> dict[UUID, Code]:
    """The codes of these redemptions and those codes' parents, by id."""
    codes: dict[UUID, Code] = {}
    wanted = {each.code_id for each in redemptions}
    while wanted:
        found = await session.scalars(
            select(Code)
            .where(Code.brand_id == brand_id, in_ids(Code.id, list(wanted)))
            .execution_options(populate_existing=True)
        )
        codes |= {code.id: code for code in found}
        wanted = {code.parent_id for code in codes.values() if code.parent_id is not None} - codes.keys()
    return codes


async def _friends_with_uses(
    session: AsyncSession, brand_id: int, redemptions: Sequence[Redemption]
) -> set[tuple[str, str]]:
    """Those of the friends of these redemptions who hold the one use that a friend may have."""
    friends = {each for redemption in redemptions for each in _friend_of(redemption)}
    held = await session.scalars(
        select(Redemption).where(
            Redemption.brand_id == brand_id,
            Redemption.holds_use,
            Redemption.one_per_friend,
            or_(
                in_texts(Redemption.friend_email_key, [key for kind, key in friends if kind == _EMAIL]),
                in_texts(Redemption.friend_phone, [key for kind, key in friends if kind == _PHONE]),
            ),
        )
    )
    return {each for redemption in held for each in _friend_of(redemption)}


_EMAIL, _PHONE = "email", "phone"


def _friend_of(redemption: Redemption) -> set[tuple[str, str]]:
    """What identifies a friend who may use one code; empty where friends may use several."""
    if not redemption.one_per_friend:
        return set()
    given = ((_EMAIL, redemption.friend_email_key), (_PHONE, redemption.friend_phone))
    return {(kind, key) for kind, key in given if key is not None}
