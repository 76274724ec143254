"""A referrer's credit on their own page: where it is spent, and what is set off against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import BindParameter, ScalarSelect, func, select

from app.base.i18n import translate
from app.brands.models import Shop
from app.ledger.models import CreditAccount
from app.referrals.offer_texts import Reader
from app.referrals.shop_credit.models import ShopCredit


class CreditRow(TypedDict):
    """One currency of somebody's credit, amounts in minor units."""

    currency: str
    balance: int
    """Negative where more was spent than later refunds left."""
    held: int
    """What a connected shop holds of it; 0 where none does."""
    code: str | None
    shop: str | None


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A sentence about credit; with a code, the coupon that holds it and what it is worth."""

    text: str
    code: str | None = None
    amount: str = ""


def select_credit(
    brand_id: BindParameter[int], referrer_id: BindParameter[object]
) -> ScalarSelect[Sequence[CreditRow] | None]:
    """A JSON array of a referrer's `CreditRow`s, by currency, to select; null for none."""
    rows = (
        select(
            CreditAccount.currency,
            CreditAccount.balance,
            func.coalesce(ShopCredit.held, 0).label("held"),
            ShopCredit.code,
            Shop.name.label("shop"),
        )
        .outerjoin(
            ShopCredit,
            (ShopCredit.brand_id == CreditAccount.brand_id)
            & (ShopCredit.referrer_id == CreditAccount.referrer_id)
            & (ShopCredit.currency == CreditAccount.currency),
        )
        .outerjoin(Shop, (Shop.brand_id == ShopCredit.brand_id) & (Shop.id == ShopCredit.shop_id))
        .where(CreditAccount.brand_id == brand_id, CreditAccount.referrer_id == referrer_id)
        .order_by(CreditAccount.currency)
        .subquery()
    )
    fields = [part for column in rows.c for part in (column.key, column)]
    return select(func.jsonb_agg(func.jsonb_build_object(*fields))).scalar_subquery()


def credit_lines(rows: Sequence[CreditRow] | None, reader: Reader) -> list[CreditLine]:
    """What a referrer is told of their credit; nothing of what a checkout of the shop's own has."""
    lines = []
    for row in rows or ():
        if row["held"] > 0:
            lines.append(_in_shop(row, reader))
        if row["balance"] < 0:
            text = translate(
                reader.language,
                "%(amount)s of what you spent was for orders that were returned later. It is set off against your next rewards.",
                amount=reader.amount(-row["balance"], row["currency"]),
            )
            lines.append(CreditLine(text))
    return lines


def _in_shop(row: CreditRow, reader: Reader) -> CreditLine:
    amount = reader.amount(row["held"], row["currency"])
    if row["code"] is not None:
        text = translate(
            reader.language,
            "The code works with your own e-mail address alone. What an order does not use of it stays on the code.",
        )
        return CreditLine(text, row["code"], amount)
    text = translate(
        reader.language,
        "%(amount)s is in your customer account at %(shop)s. Sign in at the checkout to pay with it.",
        amount=amount,
        shop=row["shop"] or "",
    )
    return CreditLine(text)
