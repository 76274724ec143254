"""Tables of API keys, staff, their sessions, and idempotency keys to repeated writes."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.admin.rules import LinkKind, Role, SessionStage
from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text


class ApiKey(Base):
    """An API key of a brand; only a hash of its secret is stored."""

    __tablename__ = "api_keys"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]]
    label: Mapped[str] = mapped_column(default="")
    """What the key is for, in its maker's words."""
    made_by: Mapped[UUID | None]
    """The staff member who made it, or who made the key that made it; it ends with them."""
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    """Behind by up to a minute: it is written at most that often."""
    created_at: Mapped[Created]


class Staff(Base):
    """A person of the marketing team, by brand and e-mail address."""

    __tablename__ = "staff"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        UniqueConstraint("brand_id", "email"),
        # Who signs in says no brand.
        Index("ix_staff_email", "email"),
        Index("ix_staff_digest", "digest_due_at", postgresql_where=text("digest_due_at IS NOT NULL")),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    email: Mapped[str]
    role: Mapped[Role] = mapped_column(enum_text(Role))
    shop_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    """The shops that they may see; null for every shop of the brand."""
    invited_at: Mapped[Moment | None]
    """When the latest invitation was sent; null for who was added by command or API."""
    joined_at: Mapped[Moment | None]
    """When they signed in first."""
    password_hash: Mapped[str | None]
    """See `app.admin.passwords`; null for a person who signs in by one-time links alone."""
    password_proven: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it was set in a proven session; see `StaffSession.proven`."""
    sealed_totp: Mapped[str | None]
    """The secret that their authenticator shares with us, sealed; null without a second factor."""
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the latest code that was used: no code counts twice."""
    recovery_hashes: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary), default=list)
    """Keyed hashes of the recovery codes that are left."""
    digest_day: Mapped[int | None] = mapped_column(SmallInteger)
    """The day of the week, 1 for Monday, on which they are mailed figures; null for never."""
    digest_due_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class LoginLink(Base):
    """A link that signs one person in, once."""

    __tablename__ = "login_links"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "staff_id"], ["staff.brand_id", "staff.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    staff_id: Mapped[UUID]
    kind: Mapped[LinkKind] = mapped_column(enum_text(LinkKind), default=LinkKind.login)
    mailed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it went to the person's address and was shown to nobody else."""
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class StaffSession(Base):
    """A browser's session; only a hash of the cookie's secret is stored."""

    __tablename__ = "staff_sessions"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "staff_id"], ["staff.brand_id", "staff.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    staff_id: Mapped[UUID]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    stage: Mapped[SessionStage] = mapped_column(enum_text(SessionStage))
    proven: Mapped[bool] = mapped_column(Boolean)
    """Whether they have shown that the address is theirs: by a mailed link, or by a password that
    was set after one. Only such a session may go on to another brand of this address."""
    device: Mapped[str]
    """In words, such as `Firefox, Windows`."""
    began_at: Mapped[Moment]
    last_seen_at: Mapped[Moment]
    """Behind by up to a minute."""
    confirmed_at: Mapped[Moment]
    """When they last showed who they are: by signing in, or by a password or code since."""
    expires_at: Mapped[Moment]
    """However busy it is."""
    created_at: Mapped[Created]


class IdempotencyKey(Base):
    """The response to a write with an `Idempotency-Key`, returned again for a repeated write.

    A key counts once in a brand, whoever repeats the write.
    """

    __tablename__ = "idempotency_keys"

    brand_id: Mapped[BrandKey]
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """Of method, path, query and body: the same key with another request is refused."""
    sees_people: Mapped[bool] = mapped_column(Boolean)
    """Whether the response may hold personal fields unmasked."""
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[dict[str, Any]]
    """The response's JSON; `{}` while the write is under way."""
    created_at: Mapped[Created]


class SignInGuesses(Base):
    """How often somebody guessed at sign-in of late, for all web processes and brands together."""

    __tablename__ = "sign_in_guesses"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """A keyed hash of what is guessed and for whom."""
    level: Mapped[float] = mapped_column(Double)
    """Of a bucket that leaks evenly, at `at`."""
    at: Mapped[Moment]
