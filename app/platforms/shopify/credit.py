"""Store credit at Shopify: an account of a customer's for each currency.

Shopify has no key by which a repeated call is recognised. What was done is read from the account's
transactions: a credit by its end, which no other one of ours has.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.shop_credit import (
    CreditEntry,
    CreditHolder,
    CreditMove,
    CreditReport,
    EntryKind,
    MovedCredit,
)
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.credit_documents import (
    CREDIT_ACCOUNT,
    CREDIT_ACCOUNTS,
    CREDIT_ENTRIES,
    DEBIT_ACCOUNT,
)
from app.platforms.shopify.responses import incomplete, refused, user_errors

ENTRIES_AT_ONCE = 100
MOST_ENTRIES = 2_000
"""More of an account's transactions are not read."""
_KINDS: Mapping[str, EntryKind] = {
    "StoreCreditAccountCreditTransaction": EntryKind.credit,
    "StoreCreditAccountDebitTransaction": EntryKind.debit,
    "StoreCreditAccountDebitRevertTransaction": EntryKind.revert,
    "StoreCreditAccountExpirationTransaction": EntryKind.expiration,
}
_UNTIL_LATER = ("INSUFFICIENT_FUNDS",)
"""What another reading of the account clears up."""


async def read_credit(
    http: aiohttp.ClientSession, connection: Connection, holder: CreditHolder, oldest: str | None
) -> CreditReport:
    """See `PlatformAdapter.read_credit`."""
    client = ShopifyClient(http, connection)
    account_id = holder.account_id or await _find_account(client, holder)
    if account_id is None:
        return CreditReport(None, Decimal(0), ())
    entries: list[CreditEntry] = []
    after: str | None = None
    while True:
        given = {"id": account_id, "first": ENTRIES_AT_ONCE, "after": after}
        account: Any = (await client.run(CREDIT_ENTRIES, given)).get("storeCreditAccount")
        if account is None:
            reason = "Shopify has the customer's store credit account no more."
            raise OutsideError(Outcome.refused, reason, permanent=True)
        try:
            balance = Decimal(account["balance"]["amount"])
            page = account["transactions"]
            entries += [_entry(node) for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        except (KeyError, TypeError, ValueError, ArithmeticError):
            raise incomplete() from None
        if after is None or (oldest is not None and any(each.id == oldest for each in entries)):
            return CreditReport(account_id, balance, tuple(entries))
        if len(entries) >= MOST_ENTRIES:
            return CreditReport(account_id, balance, tuple(entries), is_complete=False)


async def move_credit(
    http: aiohttp.ClientSession, connection: Connection, holder: CreditHolder, move: CreditMove
) -> MovedCredit:
    """See `PlatformAdapter.move_credit`. Nobody is written to by Shopify."""
    client = ShopifyClient(http, connection)
    amount = {"amount": f"{move.amount:f}", "currencyCode": holder.currency}
    owner = holder.account_id or f"gid://shopify/Customer/{holder.customer_id}"
    if move.expires_at is None:
        debit = {"id": owner, "debit": {"debitAmount": amount}}
        payload: Any = (await client.run(DEBIT_ACCOUNT, debit)).get("storeCreditAccountDebit")
    else:
        ends = f"{move.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        credit = {"creditAmount": amount, "expiresAt": ends, "notify": False}
        data = await client.run(CREDIT_ACCOUNT, {"id": owner, "credit": credit})
        payload = data.get("storeCreditAccountCredit")
    errors = user_errors(payload)
    if errors:
        is_final = not any(each.code in _UNTIL_LATER for each in errors)
        raise refused(errors, permanent=is_final)
    try:
        made = payload["storeCreditAccountTransaction"]
        balance = Decimal(made["balanceAfterTransaction"]["amount"])
        return MovedCredit(str(made["account"]["id"]), str(made["id"]), balance)
    except (KeyError, TypeError, ArithmeticError):
        raise OutsideError(Outcome.unknown, incomplete().reason) from None


async def _find_account(client: ShopifyClient, holder: CreditHolder) -> str | None:
    """The customer's account in the currency. Raises `OutsideError` where there is no customer."""
    if holder.customer_id is None:
        raise OutsideError(Outcome.refused, "Shopify knows no such customer.", permanent=True)
    given = {"id": f"gid://shopify/Customer/{holder.customer_id}"}
    customer: Any = (await client.run(CREDIT_ACCOUNTS, given)).get("customer")
    if customer is None:
        raise OutsideError(Outcome.refused, "Shopify knows no such customer.", permanent=True)
    try:
        for node in customer["storeCreditAccounts"]["nodes"]:
            if node["balance"]["currencyCode"] == holder.currency:
                return str(node["id"])
    except (KeyError, TypeError):
        raise incomplete() from None
    return None


def _entry(node: Any) -> CreditEntry:
    kind = _KINDS[node["__typename"]]
    is_credit, expires_at = kind is EntryKind.credit, node.get("expiresAt")
    return CreditEntry(
        kind=kind,
        # Debits may be shown as negative amounts.
        amount=abs(Decimal(node["amount"]["amount"])),
        id=None if node.get("id") is None else str(node["id"]),
        is_adjustment=node["event"] == "ADJUSTMENT",
        balance_after=Decimal(node["balanceAfterTransaction"]["amount"]),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        remaining=Decimal(node["remainingAmount"]["amount"]) if is_credit else None,
        credit_id=str(node["creditTransaction"]["id"]) if kind is EntryKind.expiration else None,
    )
