"""Put codes into a shop at Shopify, and take them out.

All codes under the same terms are of one discount. Shopify makes codes after it has responded and
lets no code be in a shop twice, whoever it belongs to; so a repeated call cannot do harm, and
`TAKEN` asks whose it is.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.discounts import (
    CodeToPublish,
    Discount,
    Live,
    NotSent,
    Pending,
    PublishReport,
    PublishResult,
    Refused,
    Taken,
    Unknown,
)
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.code_lookup import exists, find_code, list_newest
from app.platforms.shopify.discount_calls import create_discount
from app.platforms.shopify.discount_documents import ADD_CODES, CODES_DONE, CODES_MADE
from app.platforms.shopify.discount_shape import STARTS_AT, discount_input
from app.platforms.shopify.responses import TAKEN, UserError, incomplete, messages_of, user_errors

CODES_AT_ONCE = 250
"""`discountRedeemCodeBulkAdd` takes no more."""
WAITS = (0.1, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between the questions whether codes are made; then the call is given back."""
EACH_AT_MOST = 25
"""Of more codes that were all made the ids are not asked, since that costs three points a code."""
_OF_SHOPIFY = "INTERNAL_ERROR"
_TAKEN_REASON = "The shop has this code already, in another discount."


async def publish_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, codes: Sequence[CodeToPublish]
) -> PublishReport:
    """See `PlatformAdapter.publish_codes`."""
    publishing = _Publishing(ShopifyClient(http, connection), discount)
    await publishing.run(codes)
    return PublishReport([publishing.results[each.code] for each in codes], publishing.discount_id)


class _Publishing:
    """One call: what is known of the discount and of each code so far."""

    def __init__(self, client: ShopifyClient, discount: Discount) -> None:
        self.discount_id = discount.remote_id
        self.results: dict[str, PublishResult] = {}
        self._client = client
        self._discount = discount

    async def run(self, codes: Sequence[CodeToPublish]) -> None:
        """Raises `OutsideError` while nothing is known of any code; later failures are results."""
        try:
            await self._run(codes)
        except OutsideError as error:
            if self.discount_id == self._discount.remote_id and not self.results:
                raise
            failed = Unknown if error.outcome is Outcome.unknown else NotSent
            self._set(self._left(codes), failed(error.reason))

    async def _run(self, codes: Sequence[CodeToPublish]) -> None:
        for job in sorted({each.job for each in codes if each.job}):
            await self._ask(job, [each for each in codes if each.job == job])
        await self._make_discount(codes)
        if self.discount_id is None:
            self._set(self._left(codes), NotSent("The discount could not be made in the shop."))
            return
        await self._look_up(self._left(codes))
        left = self._left(codes)
        if left:
            await self._add(self.discount_id, left)

    def _left(self, codes: Sequence[CodeToPublish]) -> list[CodeToPublish]:
        return [each for each in codes if each.code not in self.results]

    def _set(self, codes: Sequence[CodeToPublish], result: PublishResult) -> None:
        self.results |= {each.code: result for each in codes}

    async def _make_discount(self, codes: Sequence[CodeToPublish]) -> None:
        """Make the discount with the first code; what an earlier attempt made is found by it."""
        for first in self._left(codes):
            if self.discount_id is not None:
                return
            if first.may_exist and await self._adopt(first):
                return
            given = {**discount_input(self._discount), "code": first.code, "startsAt": STARTS_AT}
            payload = await create_discount(self._client, given)
            errors = user_errors(payload)
            if any(each.code in TAKEN for each in errors):
                if await self._adopt(first):
                    return
                self.results[first.code] = Taken(_TAKEN_REASON)
            elif errors:
                self._set(self._left(codes), _not_done(errors))
                return
            else:
                self.discount_id, self.results[first.code] = _made(payload, first)

    async def _adopt(self, first: CodeToPublish) -> bool:
        """Take over the discount that has this code, where it is ours under these terms."""
        found = await find_code(self._client, first.code, self._discount)
        if found is None or not found.is_ours:
            return False
        self.discount_id, self.results[first.code] = found.discount_id, Live(found.code_id)
        return True

    async def _look_up(self, codes: Sequence[CodeToPublish]) -> None:
        """Those that an earlier attempt has made are live."""
        sought = {each.code for each in codes if each.may_exist}
        if not sought or self.discount_id is None:
            return
        found = await list_newest(self._client, self.discount_id, len(sought))
        self.results |= {code: Live(found[code]) for code in sought & found.keys()}

    async def _add(self, discount_id: str, codes: Sequence[CodeToPublish]) -> None:
        variables = {"id": discount_id, "codes": [{"code": each.code} for each in codes]}
        payload: Any = (await self._client.run(ADD_CODES, variables)).get("discountRedeemCodeBulkAdd")
        errors = user_errors(payload)
        if errors and not await exists(self._client, discount_id):
            self.discount_id = None
            self._set(codes, NotSent("Somebody has deleted the discount in the shop; it is made again."))
        elif errors:
            self._set(codes, _not_done(errors))
        else:
            try:
                job = str(payload["bulkCreation"]["id"])
            except (KeyError, TypeError):
                raise incomplete() from None
            self._set(codes, Pending(job))
            await self._ask(job, codes)

    async def _ask(self, job: str, codes: Sequence[CodeToPublish]) -> None:
        """Ask a few times whether the codes are made, and read the result of each.

        A job that Shopify does not know any more says nothing: the codes are looked up.
        """
        are_few = len(codes) <= EACH_AT_MOST
        for wait in WAITS:
            made = await self._ask_once(job, len(codes) if are_few else None)
            if made is None:
                for each in codes:
                    self.results.pop(each.code, None)
                return
            if made["done"]:
                is_whole = made["failedCount"] == 0 and made["importedCount"] == made["codesCount"]
                if is_whole and not are_few:
                    self._set(codes, Live(None))
                    return
                if made["codesCount"] > len(codes) or not are_few:
                    made = await self._ask_once(job, CODES_AT_ONCE)
                await self._read_each(made, codes)
                return
            await asyncio.sleep(wait)
        self._set(codes, Pending(job))

    async def _ask_once(self, job: str, first: int | None) -> Mapping[str, Any] | None:
        """The state of the job, with the results of its `first` codes; None for an unknown one."""
        if first is None:
            data = await self._client.run(CODES_DONE, {"id": job})
        else:
            data = await self._client.run(CODES_MADE, {"id": job, "first": first})
        found: Mapping[str, Any] | None = data.get("discountRedeemCodeBulkCreation")
        return found

    async def _read_each(self, job: Mapping[str, Any] | None, codes: Sequence[CodeToPublish]) -> None:
        try:
            made = {str(node["code"]): node for node in (job or {})["codes"]["nodes"]}
        except (KeyError, TypeError):
            raise incomplete() from None
        for each in codes:
            self.results[each.code] = await self._result(each, made.get(each.code))

    async def _result(self, code: CodeToPublish, made: Mapping[str, Any] | None) -> PublishResult:
        if made is None:
            return Unknown("Shopify does not say whether the code was made.")
        added, errors = made.get("discountRedeemCode"), user_errors({"userErrors": made.get("errors")})
        if added:
            return Live(str(added["id"]))
        if not any(each.code in TAKEN for each in errors):
            return _not_done(errors or [UserError("Shopify refused the code.")])
        found = await find_code(self._client, code.code, self._discount)
        if found is not None and (found.is_ours or found.discount_id == self.discount_id):
            return Live(found.code_id)
        return Taken(_TAKEN_REASON)


def _not_done(errors: Sequence[UserError]) -> Refused | Unknown:
    """What the errors of a mutation say of its codes: an error of Shopify's own says nothing."""
    reason = messages_of(errors)
    return Unknown(reason) if any(each.code == _OF_SHOPIFY for each in errors) else Refused(reason)


def _made(payload: Any, first: CodeToPublish) -> tuple[str, Live]:
    try:
        node = payload["codeDiscountNode"]
        codes = node["codeDiscount"]["codes"]["nodes"]
        return str(node["id"]), Live(
            next((str(each["id"]) for each in codes if each["code"] == first.code), None)
        )
    except (KeyError, TypeError):
        raise OutsideError(Outcome.unknown, "Shopify made a discount and does not say which.") from None
