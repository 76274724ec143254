"""Tables of where codes work: in which shop, and under which discount of the shop's platform."""

from typing import TypedDict
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, enum_text
from app.referrals.rules import PublicationState

PUBLISHING_SWEEPS = {True: "urgent-codes", False: "codes"}
"""The sweep that calls the platforms, by whether somebody waits."""
_SHOP = (["brand_id", "shop_id"], ["shops.brand_id", "shops.id"])
_TERMS = (["brand_id", "terms_id"], ["terms.brand_id", "terms.id"])


class CodePublication(Base):
    """Whether a shop knows a code.

    A code that is not live in its referrer's shop is neither shown nor mailed. A code of the pool
    is published before it is issued to anybody: it has no row in `codes` yet.
    """

    __tablename__ = "code_publications"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "issued_id"], ["codes.brand_id", "codes.id"]),
        ForeignKeyConstraint(*_SHOP),
        ForeignKeyConstraint(*_TERMS),
        CheckConstraint("issued_id = code_id", name="issued_is_the_code"),
        Index(
            "ix_code_publications_due",
            "brand_id",
            "urgent",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_code_publications_pool",
            "brand_id",
            "shop_id",
            "terms_id",
            postgresql_where=text("issued_id IS NULL"),
        ),
        Index(
            "ix_code_publications_sent",
            "brand_id",
            "shop_id",
            "terms_id",
            "code",
            postgresql_where=text("attempt > 0"),
        ),
        Index(
            "ix_code_publications_not_live",
            "brand_id",
            "code_id",
            postgresql_where=text("issued_id IS NOT NULL AND state IN ('wanted', 'sending', 'failed')"),
        ),
        Index(
            "ix_code_publications_expiry",
            "brand_id",
            "expires_at",
            postgresql_where=text("attempt > 0 AND state = 'live'"),
        ),
    )

    brand_id: Mapped[BrandKey]
    code_id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    issued_id: Mapped[UUID | None]
    """The code's row, which has the same id; None while the code waits in the pool."""
    code: Mapped[str]
    """As the shop knows it: `ANA-7K4QX`."""
    terms_id: Mapped[UUID]
    expires_at: Mapped[Moment]
    """When it must be out of the shop."""
    state: Mapped[PublicationState] = mapped_column(enum_text(PublicationState))
    urgent: Mapped[bool] = mapped_column(Boolean, default=True)
    """Whether somebody waits for it: such ones are not held up by thousands of others."""
    due_at: Mapped[Moment | None]
    """When the platform is called about it next; None where nothing is to be done."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """How often the platform was called about it; 0 where the code counts without being there. An
    outcome counts for its own attempt alone."""
    job: Mapped[str | None]
    """The platform's id of its work on this code, as long as that is under way."""
    remote_id: Mapped[str | None]
    """The platform's own id of the code; None where it was never put there."""
    reason: Mapped[str | None]
    """Why the last attempt failed, in a sentence for people."""
    trial: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether its offer is a trial's."""
    live_at: Mapped[Moment | None]
    """When it first worked in the shop."""
    seen_at: Mapped[Moment | None]
    """The beginning of the last check that found it in the shop."""
    created_at: Mapped[Created]


class CheckProgress(TypedDict):
    """How far a check of a shop's codes has come, and what it found so far."""

    began_at: str
    after: str | None
    """Where the next page begins."""
    changed: list[str]
    """What was set back, in words."""
    problems: list[str]
    """What only a person can correct."""
    extra: list[str]
    """Codes of the discount that are none of ours; the first few."""
    extra_count: int
    drift: list[str]
    """Codes that the shop counts more uses of than we know orders; the first few."""
    drift_count: int


class ShopDiscount(Base):
    """What a shop has of the codes under the same terms, and what the last check of them found."""

    __tablename__ = "shop_discounts"
    __table_args__ = (
        ForeignKeyConstraint(*_SHOP),
        ForeignKeyConstraint(*_TERMS),
        Index("ix_shop_discounts_check", "check_due_at", "brand_id"),
    )

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    terms_id: Mapped[UUID] = mapped_column(primary_key=True)
    remote_id: Mapped[str | None]
    """The platform's id of the discount that the codes share; None until it is made, and where each
    code is a discount of its own."""
    first_code_id: Mapped[UUID | None]
    """The code with which it is made: where an attempt broke off it is looked up by this code."""
    leased_until: Mapped[Moment | None]
    """While one worker makes it, the others wait until then."""
    check_due_at: Mapped[Moment]
    """When the shop's codes are compared with ours next, or the comparison goes on."""
    progress: Mapped[CheckProgress | None] = mapped_column(JSONB)
    """None while no check is under way."""
    checked_at: Mapped[Moment | None]
    """The end of the last whole check."""
    findings: Mapped[list[str]] = mapped_column(default=list)
    """What it found, in sentences for people; empty where all was as it must be."""
    created_at: Mapped[Created]


class ShopPublishing(Base):
    """How putting codes into a shop goes; a row for each shop that was connected once."""

    __tablename__ = "shop_publishing"
    __table_args__ = (ForeignKeyConstraint(*_SHOP),)

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    paused_until: Mapped[Moment | None]
    """No call before then, as the shop as a whole refused the last one, or did not respond."""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Such calls in a row."""
    reason: Mapped[str | None]
    """Why the last one failed, in a sentence for people; None since a call worked."""
    account: Mapped[str | None]
    """The account at the platform into which the codes were put."""
    connected_at: Mapped[Moment | None]
    """The last change of its connection that was heeded here."""
    holds_credit: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the balances of credit there are were taken up to be put into it."""
    upkeep_due_at: Mapped[Moment | None]
    """When its pool and its expired codes are seen to next."""
