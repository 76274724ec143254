"""Store credit as the API has it: resolvers by field."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLResolveInfo

from app.demo.fakes.shopify.credit_state import TYPES, FakeAccount, FakeEntry
from app.demo.fakes.shopify.paging import page
from app.demo.fakes.shopify.state import FakeShop

_CUSTOMER = "gid://shopify/Customer/"


def _customer_node(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`customer`: any id of a customer is one, but for those that the shop has lost."""
    shop: FakeShop = info.context
    customer = given["id"]
    if not customer.startswith(_CUSTOMER) or customer in shop.lost_customers:
        return None

    def accounts(_info: GraphQLResolveInfo, **asked: Any) -> dict[str, Any]:
        return page(
            [_account(each) for each in shop.credit.accounts.values() if each.owner == customer], asked
        )

    return {"id": customer, "storeCreditAccounts": accounts}


def _find_account(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`storeCreditAccount`."""
    shop: FakeShop = info.context
    account = shop.credit.accounts.get(given["id"])
    return None if account is None else _account(account)


def _configuration(_: Any, info: GraphQLResolveInfo) -> dict[str, Any]:
    shop: FakeShop = info.context
    return {"storeCreditEnabled": shop.credit_is_on}


def _credit(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`storeCreditAccountCredit`: with a customer's id it makes the account."""
    shop: FakeShop = info.context
    values = given["creditInput"]
    amount, currency = Decimal(values["creditAmount"]["amount"]), values["creditAmount"]["currencyCode"]
    ends = values.get("expiresAt")
    expires_at = None if ends is None else datetime.fromisoformat(ends)
    account, errors = _owned(shop, given["id"], currency, makes=True)
    if amount <= 0:
        errors.append(_error("NEGATIVE_OR_ZERO_AMOUNT", "must be positive", "creditAmount"))
    elif expires_at is not None and expires_at <= shop.clock():
        errors.append(_error("EXPIRES_AT_IN_PAST", "must be in the future", "expiresAt"))
    elif account is not None and account.balance + amount > shop.credit.limit:
        message = "The operation would cause the account's credit limit to be exceeded"
        errors.append(_error("CREDIT_LIMIT_EXCEEDED", message, "creditAmount"))
    if errors or account is None:
        return {"storeCreditAccountTransaction": None, "userErrors": errors}
    shop.credit.accounts[account.id] = account
    entry = account.credit(amount, shop.clock(), expires_at)
    return {"storeCreditAccountTransaction": _entry(account, entry), "userErrors": []}


def _debit(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`storeCreditAccountDebit`."""
    shop: FakeShop = info.context
    values = given["debitInput"]["debitAmount"]
    amount = Decimal(values["amount"])
    account, errors = _owned(shop, given["id"], values["currencyCode"], makes=False)
    entry = None
    if amount <= 0:
        errors.append(_error("NEGATIVE_OR_ZERO_AMOUNT", "must be positive", "debitAmount"))
    elif account is not None and not errors:
        entry = account.debit(amount, shop.clock())
        if entry is None:
            message = "The store credit account does not have sufficient funds to satisfy the request"
            errors.append(_error("INSUFFICIENT_FUNDS", message, "debitAmount"))
    made = None if entry is None or account is None else _entry(account, entry)
    return {"storeCreditAccountTransaction": made, "userErrors": errors}


RESOLVERS: dict[str, Callable[..., Any]] = {
    "QueryRoot.customer": _customer_node,
    "QueryRoot.storeCreditAccount": _find_account,
    "QueryRoot.storeCreditConfiguration": _configuration,
    "Mutation.storeCreditAccountCredit": _credit,
    "Mutation.storeCreditAccountDebit": _debit,
}
"""By type and field."""


def _owned(
    shop: FakeShop, owner: str, currency: str, *, makes: bool
) -> tuple[FakeAccount | None, list[dict[str, Any]]]:
    """The account by its own id or its owner's, and why it cannot be used."""
    if owner.startswith(_CUSTOMER):
        if owner in shop.lost_customers:
            return None, [_error("OWNER_NOT_FOUND", "Owner does not exist", "id")]
        account = shop.credit.account(owner, currency)
        if account is None and makes:
            account = FakeAccount(owner, currency)
    else:
        account = shop.credit.accounts.get(owner)
    if account is None:
        return None, [_error("ACCOUNT_NOT_FOUND", "The store credit account could not be found", "id")]
    if account.currency != currency:
        message = "The currency provided does not match the currency of the store credit account"
        return None, [_error("MISMATCHING_CURRENCY", message, "currencyCode")]
    return account, []


def _error(code: str, message: str, *path: str) -> dict[str, Any]:
    return {"code": code, "message": message, "field": list(path)}


def _account(account: FakeAccount) -> dict[str, Any]:
    def transactions(_info: GraphQLResolveInfo, **asked: Any) -> dict[str, Any]:
        listed = [_entry(account, each) for each in account.entries]
        return page(listed[::-1] if asked.get("reverse") else listed, asked)

    return {"id": account.id, "balance": _money(account.balance, account), "transactions": transactions}


def _entry(account: FakeAccount, entry: FakeEntry) -> dict[str, Any]:
    sign = -1 if entry.kind in ("debit", "expiration") else 1
    shown: dict[str, Any] = {
        "__typename": TYPES[entry.kind],
        "id": entry.id,
        "amount": _money(sign * entry.amount, account),
        "balanceAfterTransaction": _money(entry.balance, account),
        "createdAt": f"{entry.at:%Y-%m-%dT%H:%M:%SZ}",
        "event": entry.event,
        "account": {"id": account.id},
    }
    match entry.kind:
        case "credit":
            ends = entry.expires_at
            shown["expiresAt"] = None if ends is None else f"{ends:%Y-%m-%dT%H:%M:%SZ}"
            shown["remainingAmount"] = _money(entry.remaining, account)
        case "expiration":
            shown["creditTransaction"] = {"id": entry.of.id if entry.of else ""}
    return shown


def _money(amount: Decimal, account: FakeAccount) -> dict[str, str]:
    return {"amount": str(amount), "currencyCode": account.currency}
