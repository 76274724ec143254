"""Which entries of the audit log are wanted: whose, about what, and when."""

from sqlalchemy import ColumnElement, and_, true

from app.base.actor import ActorKind
from app.base.audit import AuditEntry
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.insight.periods import Period, id_binds

_ACTORS = {"stf": ActorKind.staff, "key": ActorKind.api_key}


def by_actor(shown: str | None) -> ColumnElement[bool]:
    """Entries of one actor by the name that the log shows; of all without one.

    Raises `AppError` for what is no name of an actor.
    """
    if not shown:
        return true()
    if shown == ActorKind.cli.value:
        return AuditEntry.actor_kind == ActorKind.cli
    prefix = shown.partition("_")[0]
    try:
        kind, actor_id = _ACTORS[prefix], parse_public_id(prefix, shown)
    except (KeyError, NotFound):
        raise AppError("invalid", "The actor must be an id of the log (stf_…, key_…), or cli.") from None
    return and_(AuditEntry.actor_kind == kind, AuditEntry.actor_id == actor_id)


def by_subject(shown: str | None) -> ColumnElement[bool]:
    """Entries about one row by its public id; about all without one.

    Raises `AppError` for what is no public id.
    """
    if not shown:
        return true()
    prefix = shown.partition("_")[0]
    try:
        subject_id = parse_public_id(prefix, shown)
    except NotFound:
        raise AppError("invalid", "The subject must be an id of the log, such as cus_….") from None
    return and_(AuditEntry.subject_kind == prefix, AuditEntry.subject_id == subject_id)


def within_period(period: Period) -> ColumnElement[bool]:
    """Entries of a period. Their ids begin with their time, so the list's own index finds them."""
    conditions: list[ColumnElement[bool]] = []
    ids = id_binds(period)
    if period.start is not None:
        conditions += [AuditEntry.at >= period.start, AuditEntry.id >= ids["first"]]
    if period.end is not None:
        conditions += [AuditEntry.at < period.end, AuditEntry.id < ids["last"]]
    return and_(true(), *conditions)
