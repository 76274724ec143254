"""Put codes into a shop on WooCommerce, and take them out.

Each code is a coupon of its own. WooCommerce makes them at once, writes a batch item by item, and
has no published code twice; so a repeated call cannot do harm, and "already exists" asks whose it
is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.discounts import (
    NOT_THERE_YET,
    CodePage,
    CodeToPublish,
    Discount,
    FoundCode,
    Live,
    NotSent,
    PublishedCode,
    PublishReport,
    PublishResult,
    Refused,
    Taken,
    Unknown,
)
from app.platforms.woocommerce.client import WooCommerceClient
from app.platforms.woocommerce.coupon_shape import Coupon, coupon_body, differences, first_step
from app.platforms.woocommerce.responses import error_of, incomplete

_Found = TypeVar("_Found")
CODES_AT_ONCE = 50
"""WooCommerce takes 100; a small server makes half of them within the time of a call."""
LOOKUPS_AT_ONCE = 5
_TOO_LARGE = 413
EXISTS = "woocommerce_rest_coupon_code_already_exists"
GONE = "woocommerce_rest_shop_coupon_invalid_id"
_TAKEN_REASON = "The shop has another coupon with this code."
_ODD = "WooCommerce's response does not say whether the code was made."


async def publish_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, codes: Sequence[CodeToPublish]
) -> PublishReport:
    """See `PlatformAdapter.publish_codes`."""
    client = WooCommerceClient(http, connection)
    bodies = [coupon_body(discount, each.code, each.expires_at) for each in codes]
    rows = await _batch(client, "create", bodies)
    results: list[PublishResult | None] = [_result(row) for row in rows]
    known = [place for place, result in enumerate(results) if result is None]
    found = await _look_up(client, [codes[place].code for place in known])
    for place, each in zip(known, found, strict=True):
        results[place] = _owned(each, discount)
    return PublishReport([each or Unknown(_ODD) for each in results])


def _result(row: object) -> PublishResult | None:
    """The result of one coupon of a batch; None where its code exists already."""
    made = Coupon.of(row)
    if made is not None:
        return Live(str(made.id))
    code, status = _error(row)
    if code == EXISTS:
        return None
    if status in {401, 403}:
        return NotSent(f"The consumer key may not make coupons ({code}).")
    if 400 <= status < 500 and code != "woocommerce_rest_shop_coupon_not_created":
        return Refused(f"WooCommerce refuses the coupon ({code}).")
    return Unknown(f"WooCommerce could not make the coupon ({code})." if code else _ODD)


def _error(row: object) -> tuple[str, int]:
    """Code and status of an item that failed; empty and 0 for anything else."""
    match row:
        case {"error": {"code": str() as code, **rest}}:
            data = rest.get("data")
            status = data.get("status") if isinstance(data, Mapping) else None
            return code[:80], status if isinstance(status, int) else 0
    return "", 0


def _owned(found: Coupon | OutsideError | None, discount: Discount) -> PublishResult:
    """Whose a code is that exists already."""
    if isinstance(found, OutsideError):
        return Unknown(found.reason)
    if found is None:
        # It was taken out between the two calls.
        return NotSent("The code is not in the shop any more.")
    return Live(str(found.id)) if found.is_under(discount) else Taken(_TAKEN_REASON)


async def revoke_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, codes: Sequence[PublishedCode]
) -> list[str | None]:
    """See `PlatformAdapter.revoke_codes`."""
    client = WooCommerceClient(http, connection)
    ids = await _ids_of(client, discount, codes)
    left = iter(await delete_coupons(client, [each for each in ids if isinstance(each, int)]))
    return [next(left) if isinstance(each, int) else each for each in ids]


async def delete_coupons(client: WooCommerceClient, numbers: Sequence[int]) -> list[str | None]:
    """Delete coupons for good; why each could not be, None where it is gone. Raises `OutsideError`.

    By a batch, which is posted: many a server refuses the methods PUT and DELETE.
    """
    return [_left(row) for row in await _batch(client, "delete", numbers)] if numbers else []


def _left(row: object) -> str | None:
    """Why a coupon could not be deleted; None where it is gone."""
    if Coupon.of(row) is not None and not _error(row)[0]:
        return None
    code, _ = _error(row)
    if code == GONE:
        return None
    return f"WooCommerce did not delete the coupon ({code or 'it did not say why'})."


async def _ids_of(
    client: WooCommerceClient, discount: Discount, codes: Sequence[PublishedCode]
) -> list[int | str | None]:
    """The coupon's id of each code, None where there is none of ours, or why that is not known.

    An id is checked too: once the shop is another WordPress it is another coupon's.
    """
    numbers = [_number(each.remote_id) for each in codes]
    ours = await _ours(client, discount, [each for each in numbers if each is not None])
    found: list[int | str | None] = [each if each in ours else None for each in numbers]
    unknown = [place for place, each in enumerate(found) if each is None]
    coupons = await _look_up(client, [codes[place].code for place in unknown])
    for place, coupon in zip(unknown, coupons, strict=True):
        if isinstance(coupon, OutsideError):
            found[place] = coupon.reason
        elif coupon is None and codes[place].may_come:
            found[place] = NOT_THERE_YET
        elif coupon is not None and coupon.is_under(discount):
            found[place] = coupon.id
    return found


def _number(remote_id: str | None) -> int | None:
    return int(remote_id) if remote_id is not None and remote_id.isascii() and remote_id.isdecimal() else None


async def _ours(client: WooCommerceClient, discount: Discount, numbers: Sequence[int]) -> set[int]:
    """Those of the coupons with these ids, at most a page of them, that are ours."""
    if not numbers:
        return set()
    rows, _ = await client.get_page("coupons", {"include": ",".join(map(str, numbers))}, 1)
    return {each.id for each in map(Coupon.of, rows) if each is not None and each.is_under(discount)}


async def list_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, after: str | None
) -> CodePage:
    """See `PlatformAdapter.list_codes`.

    WooCommerce searches descriptions, where the terms stand, and lists by pages: coupons that are
    made or deleted meanwhile may be listed twice, or only the next time.
    """
    client, page = WooCommerceClient(http, connection), int(after or 1)
    query = {"search": discount.terms_id.hex, "orderby": "id", "order": "asc"}
    rows, is_last = await client.get_page("coupons", query, page)
    seen: dict[str, Coupon] = {}
    codes: list[FoundCode] = []
    for coupon in filter(None, map(Coupon.of, rows)):
        if not (coupon.is_under(discount) and coupon.is_published):
            continue
        found = differences(discount, coupon)
        if coupon.code in seen:
            found = (*found, "it is in the shop twice")
        seen[coupon.code] = coupon
        codes.append(FoundCode(coupon.code.upper(), str(coupon.id), coupon.uses, found))
    return CodePage(codes, None if is_last else str(page + 1))


async def repair_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, codes: Sequence[PublishedCode]
) -> None:
    """See `PlatformAdapter.repair_codes`. Of a code that is there twice the oldest is kept."""
    client = WooCommerceClient(http, connection)
    found = await _side_by_side(lambda code: _all_of(client, discount, code), [each.code for each in codes])
    kept = [(each, ours[0].id) for each, ours in zip(codes, found, strict=True) if ours]
    doubles = [each.id for ours in found for each in ours[1:]]
    first = [step for _, number in kept if (step := first_step(discount, number)) is not None]
    whole = [{"id": number, **coupon_body(discount, each.code, each.expires_at)} for each, number in kept]
    rows = [] if not doubles else await _batch(client, "delete", doubles)
    for changes in (first, whole):
        rows += await _batch(client, "update", changes) if changes else []
    failed = {code for code, _ in map(_error, rows) if code and code != GONE}
    if failed:
        raise OutsideError(Outcome.refused, f"WooCommerce refuses the change ({', '.join(sorted(failed))}).")


async def _all_of(client: WooCommerceClient, discount: Discount, code: str) -> list[Coupon]:
    """Our published coupons with this code, the oldest first. Raises `OutsideError`."""
    rows, _ = await client.get_page("coupons", {"search": code.lower()}, 1)
    found = [each for each in map(Coupon.of, rows) if each is not None and each.code == code.lower()]
    ours = [each for each in found if each.is_under(discount) and each.is_published]
    return sorted(ours, key=lambda each: each.id)


async def _batch(client: WooCommerceClient, name: str, items: Sequence[Any]) -> list[Any]:
    """The result of each item, in their order. Raises `OutsideError`.

    A shop may take fewer items than WooCommerce itself: then they are halved.
    """
    response = await client.try_send("POST", "coupons/batch", {name: list(items)})
    if response.status == _TOO_LARGE and len(items) > 1:
        half = len(items) // 2
        return [*await _batch(client, name, items[:half]), *await _batch(client, name, items[half:])]
    error = error_of(response, is_write=True)
    if error is not None:
        raise error
    rows = response.data.get(name) if isinstance(response.data, Mapping) else None
    if not isinstance(rows, list) or len(rows) != len(items):
        raise OutsideError(Outcome.unknown, incomplete().reason, fault=incomplete().fault)
    return rows


async def _look_up(client: WooCommerceClient, codes: Sequence[str]) -> list[Coupon | OutsideError | None]:
    """The published coupon of each code, None for none, or why that is not known."""

    async def look_up(code: str) -> Coupon | OutsideError | None:
        try:
            rows, _ = await client.get_page("coupons", {"code": code.lower()}, 1)
        except OutsideError as error:
            return error
        found = filter(None, map(Coupon.of, rows))
        return next((each for each in found if each.code == code.lower()), None)

    return await _side_by_side(look_up, codes)


async def _side_by_side(work: Callable[[str], Awaitable[_Found]], codes: Sequence[str]) -> list[_Found]:
    """What the work finds for each code, a few at a time."""
    turns = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def one(code: str) -> _Found:
        async with turns:
            return await work(code)

    return list(await asyncio.gather(*map(one, codes)))
