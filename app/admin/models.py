"""Tables of API keys, staff, their sessions, and idempotency keys to repeated writes."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, LargeBinary, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.admin.rules import Role
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
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    email: Mapped[str]
    role: Mapped[Role] = mapped_column(enum_text(Role))
    password_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """See `app.admin.passwords`; null for a person who signs in by one-time links alone."""
    created_at: Mapped[Created]


class LoginLink(Base):
    """A link that signs one person in, once."""

    __tablename__ = "login_links"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "staff_id"], ["staff.brand_id", "staff.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    staff_id: Mapped[UUID]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class StaffSession(Base):
    """A signed-in browser; only a hash of the cookie's secret is stored."""

    __tablename__ = "staff_sessions"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "staff_id"], ["staff.brand_id", "staff.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    staff_id: Mapped[UUID]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[Moment]
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
