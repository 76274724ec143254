"""Versions of a programme: the present one is locked, and the next one added."""

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, differing, record_action
from app.base.errors import AppError
from app.brands.amounts import check_amounts, check_dates
from app.brands.find import ProgrammeInForce, load_currencies, load_programme
from app.brands.models import Brand, ProgrammeVersion
from app.brands.programme import Programme, RewardKind
from app.brands.terms import store_terms


async def state_reward(session: AsyncSession, brand_id: int, *, is_given: bool) -> RewardKind:
    """Note whether the programme is given the kind of its rewards; returns what it is by default.

    The programme is locked (`lock_programme`).
    """
    default = await session.scalar(
        update(Brand)
        .where(Brand.id == brand_id)
        .values(names_reward=is_given)
        .returning(Brand.default_reward)
        .execution_options(synchronize_session=False)
    )
    return default or RewardKind.code


async def lock_programme(
    session: AsyncSession, brand_id: int, if_version: Collection[int] | None
) -> ProgrammeInForce:
    """The terms in force, which nobody else changes until the transaction ends.

    Raises as `require_version`.
    """
    await session.execute(select(func.pg_advisory_xact_lock(0x7E4F, brand_id)))
    present = await load_programme(session, brand_id)
    require_version(present, if_version)
    return present


def require_version(present: ProgrammeInForce, if_version: Collection[int] | None) -> None:
    """Raise `AppError` `precondition_failed` (412) where the version is none of `if_version`."""
    if if_version is not None and present.version not in if_version:
        raise AppError(
            "precondition_failed",
            "The programme was changed meanwhile; get it again and repeat your change on it.",
            status=412,
            headers={"ETag": f'"{present.version}"'},
        )


async def put_programme(
    session: AsyncSession, brand_id: int, present: ProgrammeInForce, programme: Programme, *, actor: Actor
) -> ProgrammeInForce:
    """Store the programme where it differs from the present one, which is locked."""
    check_dates(programme, present.programme)
    check_amounts(programme, await load_currencies(session, brand_id))
    if present.programme == programme:
        return present
    changes = differing(present.programme.as_json(), programme.as_json())
    await record_action(session, actor, AuditAction.programme_changed, ("programme", None), changes)
    return await add_version(session, brand_id, present.version + 1, programme, author=actor.name)


async def add_version(
    session: AsyncSession, brand_id: int, version: int, programme: Programme, *, author: str
) -> ProgrammeInForce:
    """Store a programme as this version, which is not there yet."""
    terms_id = await store_terms(session, brand_id, programme)
    session.add(
        ProgrammeVersion(
            brand_id=brand_id, version=version, terms_id=terms_id, terms=programme.as_json(), author=author
        )
    )
    await session.flush()
    return ProgrammeInForce(version, programme, terms_id)
