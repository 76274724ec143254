"""Rewards' codes in a shop on WooCommerce: each is a coupon, restricted to its owner's address.

WooCommerce has no published code twice, and the coupon's `meta_data` says whose it is: so whatever
breaks off may be called again.
"""

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.reward_codes import RewardCode
from app.platforms.woocommerce.client import WooCommerceClient
from app.platforms.woocommerce.codes import EXISTS, GONE, delete_coupons
from app.platforms.woocommerce.coupon_shape import Coupon, end_of, mark_of
from app.platforms.woocommerce.responses import error_of, incomplete

REWARD_KEY = "tenfold_reward"
"""The key of the `meta_data` that marks a coupon as a reward's."""


async def put_reward(
    http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
) -> str:
    """See `PlatformAdapter.put_reward`."""
    client = WooCommerceClient(http, connection)
    if remote_id is not None and await _update(client, remote_id, reward):
        return remote_id
    response = await client.try_send("POST", "coupons", _body(reward, uses=0))
    if response.code == EXISTS:
        found = await _find(client, reward)
        if found is not None and await _update(client, str(found.id), reward):
            return str(found.id)
        raise OutsideError(Outcome.refused, "The shop has another coupon with this code.", permanent=True)
    error = error_of(response, is_write=True)
    if error is not None:
        raise error
    made = Coupon.of(response.data)
    if made is None:
        raise OutsideError(Outcome.unknown, incomplete().reason, fault=incomplete().fault)
    return str(made.id)


async def remove_reward(http: aiohttp.ClientSession, connection: Connection, reward: RewardCode) -> None:
    """See `PlatformAdapter.remove_reward`. It is deleted for good, not put into the trash."""
    client = WooCommerceClient(http, connection)
    # By the code: once the shop is another WordPress, the number is another coupon's.
    coupon = await _find(client, reward)
    if coupon is None:
        return
    (reason,) = await delete_coupons(client, [coupon.id])
    if reason is not None:
        raise OutsideError(Outcome.refused, reason)


async def _update(client: WooCommerceClient, number: str, reward: RewardCode) -> bool:
    """Set a coupon to what it must be; False where the shop has no such coupon of ours."""
    coupon = await _find(client, reward)
    if coupon is None or number != str(coupon.id):
        return False
    response = await client.try_send("POST", f"coupons/{number}", _body(reward, uses=coupon.uses))
    if response.code == GONE:
        return False
    error = error_of(response, is_write=True)
    if error is not None:
        raise error
    return True


async def _find(client: WooCommerceClient, reward: RewardCode) -> Coupon | None:
    """The coupon with this code, where it is this reward's."""
    rows, _ = await client.get_page("coupons", {"code": reward.code.lower()}, 1)
    for row in rows:
        coupon = Coupon.of(row)
        if (
            coupon is not None
            and coupon.code == reward.code.lower()
            and mark_of(row, REWARD_KEY) == reward.reward_id.hex
        ):
            return coupon
    return None


def _body(reward: RewardCode, *, uses: int) -> dict[str, object]:
    """The coupon that has been used so often, as it must be.

    It may be used once more than was used of it, as long as we know of all these uses: WooCommerce
    takes a use back when its order is cancelled, and counts one of which we do not know yet.
    """
    limit = min(uses, reward.uses - 1) + 1
    return {
        "code": reward.code.lower(),
        "description": f"{reward.title} [{reward.reward_id.hex}]",
        "amount": f"{reward.amount.normalize():f}",
        "discount_type": "fixed_cart",
        "usage_limit": limit,
        "usage_limit_per_user": limit,
        "individual_use": False,
        "email_restrictions": [reward.email] if reward.email else [],
        "date_expires": end_of(reward.expires_at),
        "meta_data": [{"key": REWARD_KEY, "value": reward.reward_id.hex}],
    }
