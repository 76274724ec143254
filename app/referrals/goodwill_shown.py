"""The codes of goodwill on a referrer's own page: rewards without a friend's order."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from sqlalchemy import BindParameter, ScalarSelect, func, select

from app.referrals.models import Code
from app.referrals.placing.models import RewardPlacement, working_code
from app.referrals.reward_models import Reward
from app.referrals.rules import RewardStatus


class GoodwillRow(TypedDict):
    """A code that can be used; the amount is in minor units."""

    code: str | None
    """None until the connected shop knows it."""
    amount: int
    currency: str
    expires_at: str
    """As `datetime.fromisoformat` reads it."""


def select_goodwill(
    brand_id: BindParameter[int], referrer_id: BindParameter[object]
) -> ScalarSelect[Sequence[GoodwillRow] | None]:
    """A JSON array of a referrer's `GoodwillRow`s, the newest first, to select; null for none."""
    rows = (
        select(
            working_code().label("code"),
            Reward.net_amount.label("amount"),
            Reward.currency,
            Reward.expires_at,
        )
        .select_from(Reward)
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
        .outerjoin(
            RewardPlacement,
            (RewardPlacement.brand_id == Reward.brand_id) & (RewardPlacement.reward_id == Reward.id),
        )
        .where(
            Reward.brand_id == brand_id,
            Reward.referrer_id == referrer_id,
            Reward.redemption_id.is_(None),
            Reward.status == RewardStatus.granted,
        )
        .order_by(Reward.id.desc())
        .subquery()
    )
    fields = [part for column in rows.c for part in (column.key, column)]
    return select(func.jsonb_agg(func.jsonb_build_object(*fields))).scalar_subquery()


def expiry_of(row: GoodwillRow) -> datetime:
    """When it can no longer be used."""
    return datetime.fromisoformat(row["expires_at"])
