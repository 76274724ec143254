"""Discounts and their codes: resolvers by field."""

from collections.abc import Callable, Iterable
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from app.base import clock
from app.demo.fakes.shopify.discount_shape import show_count, show_discount
from app.demo.fakes.shopify.paging import page
from app.demo.fakes.shopify.state import (
    FakeBulkCreation,
    FakeCode,
    FakeDiscount,
    FakeJob,
    FakeShop,
    new_gid,
)

CODES_A_CALL = 250
CODE_LENGTH = 255
_REQUIRED = ("title", "startsAt", "customerGets", "context")


def create_discount(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeBasicCreate`."""
    shop: FakeShop = info.context
    values = given["basicCodeDiscount"]
    errors = [
        _error("BLANK", "can't be blank", name) for name in (*_REQUIRED, "code") if not values.get(name)
    ]
    errors = errors or [*_value_errors(shop, values), *_code_errors(shop, [values["code"]])]
    if errors:
        return {"codeDiscountNode": None, "userErrors": errors}
    discount = FakeDiscount(new_gid("DiscountCodeNode"), {**values, "code": None})
    shop.discounts[discount.id] = discount
    _add_code(discount, values["code"])
    return {"codeDiscountNode": _code_node(shop, discount), "userErrors": []}


def update_discount(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeBasicUpdate`: what is left out stays."""
    shop: FakeShop = info.context
    discount = shop.discounts.get(given["id"])
    if discount is None:
        return {"codeDiscountNode": None, "userErrors": [_missing()]}
    changes = given["basicCodeDiscount"]
    least = {
        **(discount.given.get("minimumRequirement") or {}),
        **(changes.get("minimumRequirement") or {}),
    }
    values = {**discount.given, **changes, "code": None, "minimumRequirement": least}
    errors = [*_value_errors(shop, values)]
    if not errors:
        discount.given = values
    return {"codeDiscountNode": _code_node(shop, discount), "userErrors": errors}


def add_codes(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountRedeemCodeBulkAdd`: the codes work once the job is done."""
    shop: FakeShop = info.context
    codes = [each["code"] for each in given["codes"]]
    if len(codes) > CODES_A_CALL:
        raise GraphQLError(
            f"The input array size of {len(codes)} is greater than the maximum allowed of {CODES_A_CALL}.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )
    if given["discountId"] not in shop.discounts:
        return {"bulkCreation": None, "userErrors": [_missing("discountId")]}
    if not codes:
        return {"bulkCreation": None, "userErrors": [_error("BLANK", "can't be blank", "codes")]}
    creation = FakeBulkCreation(
        new_gid("DiscountRedeemCodeBulkCreation"), given["discountId"], codes, shop.polls_until_done
    )
    shop.creations[creation.id] = creation
    return {"bulkCreation": _creation(creation), "userErrors": []}


def poll_creation(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`discountRedeemCodeBulkCreation`: each poll brings it nearer to its end."""
    shop: FakeShop = info.context
    creation = shop.creations.get(given["id"])
    if creation is None:
        return None
    creation.polls_left -= 1
    if creation.polls_left <= 0 and not creation.is_done:
        creation.is_done = True
        discount = shop.discounts.get(creation.discount_id)
        for code in creation.codes:
            errors = [_missing("discountId")] if discount is None else _code_errors(shop, [code])
            added = _add_code(discount, code) if discount is not None and not errors else None
            creation.results.append((code, added, errors[0] if errors else None))
    return _creation(creation)


def poll_job(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`job`: each poll brings it nearer to its end."""
    shop: FakeShop = info.context
    job = shop.jobs.get(given["id"])
    if job is None:
        return None
    job.polls_left -= 1
    if job.polls_left <= 0 and not job.is_done:
        job.is_done = True
        job.work()
    return {"id": job.id, "done": job.is_done}


def delete_codes(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeRedeemCodeBulkDelete`."""
    shop: FakeShop = info.context
    discount = shop.discounts.get(given["discountId"])
    if discount is None:
        return {"job": None, "userErrors": [_missing("discountId")]}
    ids = set(given.get("ids") or [])

    def work() -> None:
        kept = {key: each for key, each in discount.codes.items() if each.id not in ids}
        shop.codes_deleted += len(discount.codes) - len(kept)
        discount.codes = kept

    return {"job": _start(shop, work), "userErrors": []}


def delete_discount(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeDelete`."""
    shop: FakeShop = info.context
    discount = shop.discounts.pop(given["id"], None)
    if discount is None:
        return {"deletedCodeDiscountId": None, "userErrors": [_missing()]}
    shop.codes_deleted += len(discount.codes)
    return {"deletedCodeDiscountId": given["id"], "userErrors": []}


def delete_discounts(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeBulkDelete`, by ids alone."""
    shop: FakeShop = info.context
    ids = given.get("ids")
    if not ids:
        error = _error(
            "MISSING_ARGUMENT", "Missing expected argument key: 'ids', 'search' or 'saved_search_id'."
        )
        return {"job": None, "userErrors": [error]}

    def work() -> None:
        for each in ids:
            shop.discounts.pop(each, None)

    return {"job": _start(shop, work), "userErrors": []}


def deactivate_discount(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodeDeactivate`."""
    shop: FakeShop = info.context
    discount = shop.discounts.get(given["id"])
    if discount is None:
        return {"codeDiscountNode": None, "userErrors": [_missing()]}
    discount.given["endsAt"] = clock.now().isoformat()
    return {"codeDiscountNode": _code_node(shop, discount), "userErrors": []}


def find_discount(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`discountNode`."""
    shop: FakeShop = info.context
    discount = shop.discounts.get(given["id"])
    return None if discount is None else {"id": discount.id, "discount": show_discount(shop, discount)}


def find_by_code(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`codeDiscountNodeByCode`, in any case."""
    shop: FakeShop = info.context
    found = shop.find_code(given["code"])
    return None if found is None else _code_node(shop, found[0])


def count_codes(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`discountCodesCount`."""
    shop: FakeShop = info.context
    return show_count(sum(len(each.codes) for each in shop.discounts.values()), given["limit"])


def _add_code(discount: FakeDiscount, code: str) -> FakeCode:
    added = FakeCode(new_gid("DiscountRedeemCode"), code)
    discount.codes[code.lower()] = added
    return added


def _start(shop: FakeShop, work: Callable[[], None]) -> dict[str, Any]:
    job = FakeJob(new_gid("Job"), work, shop.polls_until_done)
    shop.jobs[job.id] = job
    return {"id": job.id, "done": False}


def _error(code: str, message: str, *names: str) -> dict[str, Any]:
    return {"field": ["basicCodeDiscount", *names], "message": message, "code": code, "extraInfo": None}


def _missing(name: str = "id") -> dict[str, Any]:
    return {"field": [name], "message": "Discount does not exist.", "code": "INVALID", "extraInfo": None}


def _code_errors(shop: FakeShop, codes: Iterable[str]) -> list[dict[str, Any]]:
    errors = []
    for code in codes:
        if not code.strip():
            errors.append(_error("BLANK", "can't be blank", "code"))
        elif len(code) > CODE_LENGTH:
            errors.append(_error("TOO_LONG", f"is too long (maximum is {CODE_LENGTH} characters)", "code"))
        elif shop.find_code(code):
            errors.append(_error("TAKEN", "must be unique. Please try a different code.", "code"))
    return errors


def _value_errors(shop: FakeShop, values: dict[str, Any]) -> Iterable[dict[str, Any]]:
    owners = (values["context"].get("customers") or {}).get("add") or []
    if not shop.lost_customers.isdisjoint(owners):
        yield _error("INVALID", "Customer does not exist", "context", "customers", "add")
    ends = values.get("endsAt")
    if ends and ends <= values["startsAt"]:
        yield _error("END_DATE_BEFORE_START_DATE", "Ends at needs to be after starts_at", "endsAt")
    gets = values["customerGets"]
    if gets.get("appliesOnSubscription") and not shop.sells_subscriptions:
        message = "Customer gets applies on subscription is not permitted for this shop."
        yield _error("INVALID", message, "customerGets", "appliesOnSubscription")
    value = gets.get("value") or {}
    percentage, amount = value.get("percentage"), (value.get("discountAmount") or {}).get("amount")
    if percentage is not None and not 0 < percentage <= 1:
        yield _error("VALUE_OUTSIDE_RANGE", "Value must be between 0.0 and 1.0", "customerGets", "value")
    if (percentage is None) == (amount is None):
        yield _error("INVALID", "Value must be a percentage or an amount", "customerGets", "value")
    least = values.get("minimumRequirement") or {}
    if all(
        any(each is not None for each in (least.get(name) or {}).values())
        for name in ("subtotal", "quantity")
    ):
        code = "MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT"
        yield _error(code, "Specify a minimum subtotal or a quantity, but not both.", "minimumRequirement")
    limit = values.get("usageLimit")
    if limit is not None and limit < 1:
        yield _error("GREATER_THAN", "must be greater than 0", "usageLimit")


def _code_node(shop: FakeShop, discount: FakeDiscount) -> dict[str, Any]:
    return {"id": discount.id, "codeDiscount": show_discount(shop, discount)}


def _creation(creation: FakeBulkCreation) -> dict[str, Any]:
    results = [
        {"code": code, "discountRedeemCode": added and {"id": added.id}, "errors": [error] if error else []}
        for code, added, error in creation.results
    ]
    failed = sum(bool(each["errors"]) for each in results)
    return {
        "id": creation.id,
        "done": creation.is_done,
        "codesCount": len(creation.codes),
        "importedCount": len(results) - failed,
        "failedCount": failed,
        "createdAt": creation.created_at.isoformat(),
        "codes": lambda _info, **asked: page(results, asked),
    }


RESOLVERS: dict[str, Callable[..., Any]] = {
    "Mutation.discountCodeBasicCreate": create_discount,
    "Mutation.discountCodeBasicUpdate": update_discount,
    "Mutation.discountRedeemCodeBulkAdd": add_codes,
    "Mutation.discountCodeRedeemCodeBulkDelete": delete_codes,
    "Mutation.discountCodeDelete": delete_discount,
    "Mutation.discountCodeBulkDelete": delete_discounts,
    "Mutation.discountCodeDeactivate": deactivate_discount,
    "QueryRoot.discountNode": find_discount,
    "QueryRoot.codeDiscountNodeByCode": find_by_code,
    "QueryRoot.discountCodesCount": count_codes,
    "QueryRoot.discountRedeemCodeBulkCreation": poll_creation,
    "QueryRoot.job": poll_job,
}
"""By type and field."""
