"""Whether a code works: by its own row, and by what its referrer's shop knows of it."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_

from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import CodeKind, CodeStatus, PublicationState, code_status
from app.referrals.shown import AnyCode


def status_of(code: AnyCode, *, now: datetime) -> CodeStatus:
    """Whether a code can be used at `now`."""
    return code_status(
        disabled=code.disabled_at is not None,
        expires_at=code.expires_at,
        uses=code.uses,
        max_uses=code.max_uses,
        now=now,
    )


def is_live(code: AnyCode, state: PublicationState | None) -> bool:
    """Whether friends get the discount by the link now.

    `state` is that of the code's publication in the referrer's shop. A code that cannot be entered
    has none: each friend gets one of their own.
    """
    return state is PublicationState.live or not code.redeemable


def has_present_code() -> ColumnElement[bool]:
    """Joins `Referrer` to the active share code, of which there is one at most."""
    return and_(
        Code.brand_id == Referrer.brand_id,
        Code.referrer_id == Referrer.id,
        Code.active,
        Code.kind == CodeKind.share,
    )


def in_home_shop() -> ColumnElement[bool]:
    """Joins `Code` and `Referrer` to the code's publication in the referrer's shop."""
    return and_(
        CodePublication.brand_id == Code.brand_id,
        CodePublication.code_id == Code.id,
        CodePublication.shop_id == Referrer.shop_id,
    )
