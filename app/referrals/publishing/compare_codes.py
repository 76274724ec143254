"""Compare a page of a shop's codes with ours, and write down what must be done about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids, recordset
from app.base.text import one_line
from app.platforms.discounts import CodePage, FoundCode, PublishedCode
from app.referrals.models import Redemption
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import (
    PUBLISHING_SWEEPS,
    CheckProgress,
    CodePublication,
)
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.rules import PublicationState

SHOWN = 5
"""Codes, or changes, that a finding names."""
_OUT = (PublicationState.revoked, PublicationState.failed)


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page of a shop's codes, and what we know of each."""

    page: CodePage
    known: Mapping[str, CodePublication]
    """Publications by the code as the shop has it; a code that we do not know is left out."""

    @property
    def to_repair(self) -> list[PublishedCode]:
        """Live codes that somebody has changed in the shop."""
        return [
            PublishedCode(each.code, each.remote_id, self.known[each.code].expires_at)
            for each in self.page.codes
            if each.differences and self._is_live(each)
        ]

    def _is_live(self, found: FoundCode) -> bool:
        publication = self.known.get(found.code)
        return publication is not None and publication.state is PublicationState.live


async def find_known(session: AsyncSession, place: ShopTerms, page: CodePage) -> KnownPage:
    """The page with our publications: by the code, or by the platform's id of it."""
    by_code = {each.code.upper(): each for each in page.codes}
    ours = (*_in(place), CodePublication.terms_id == place.terms_id, CodePublication.attempt > 0)
    given = recordset([{"code": code} for code in by_code], [CodePublication.code]).c
    rows = await session.scalars(select(CodePublication).where(*ours, CodePublication.code == given.code))
    known = {by_code[each.code].code: each for each in rows}
    unknown = {each.remote_id: each for each in page.codes if each.code not in known}
    if unknown:
        # Revoked ones have no code any more.
        gone = await session.scalars(
            select(CodePublication).where(
                *ours, CodePublication.state.in_(_OUT), CodePublication.remote_id.in_(unknown)
            )
        )
        known |= {unknown[each.remote_id].code: each for each in gone if each.remote_id in unknown}
    return KnownPage(page, known)


async def record_page(
    session: AsyncSession, place: ShopTerms, progress: CheckProgress, found: KnownPage, *, now: datetime
) -> CheckProgress:
    """Note what is there, revoke what must not be; returns what was found so far."""
    page, known = found.page, found.known
    began_at = datetime.fromisoformat(progress["began_at"])
    await lock_publications(
        session, *_in(place), in_ids(CodePublication.code_id, [each.code_id for each in known.values()])
    )
    await _note_seen(session, place, found, began_at)
    left = [each.code_id for each in known.values() if each.state in _OUT]
    await _revoke_again(session, place, left, now=now)
    extra = [each.code for each in page.codes if each.code not in known]
    drift = await _find_drift(session, place, found)
    repaired = {each.code for each in found.to_repair}
    words = [word for each in page.codes if each.code in repaired for word in each.differences]
    return CheckProgress(
        began_at=progress["began_at"],
        after=page.after,
        changed=_first(progress["changed"], [*page.differences, *words]),
        problems=_first(progress["problems"], [page.problem] if page.problem else []),
        extra=_first(progress["extra"], extra),
        extra_count=progress["extra_count"] + len(extra),
        drift=_first(progress["drift"], drift),
        drift_count=progress["drift_count"] + len(drift),
    )


def _in(place: ShopTerms) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return CodePublication.brand_id == place.brand_id, CodePublication.shop_id == place.shop_id


def _first(known: Sequence[str], more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*known, *(one_line(each, limit=100) or "" for each in more)]))[:SHOWN]


async def _note_seen(session: AsyncSession, place: ShopTerms, found: KnownPage, began_at: datetime) -> None:
    """The codes of the page are there, under these ids."""
    rows = [
        {"code_id": found.known[each.code].code_id, "remote_id": each.remote_id}
        for each in found.page.codes
        if each.code in found.known
    ]
    given = recordset(rows, (CodePublication.code_id, CodePublication.remote_id)).c
    await session.execute(
        update(CodePublication)
        .values(seen_at=began_at, remote_id=given.remote_id)
        .where(*_in(place), CodePublication.code_id == given.code_id)
        .execution_options(synchronize_session=False)
    )


async def _revoke_again(
    session: AsyncSession, place: ShopTerms, code_ids: Collection[UUID], *, now: datetime
) -> None:
    """Codes that were revoked and are there all the same are deleted once more."""
    if not code_ids:
        return
    await session.execute(
        update(CodePublication)
        .values(state=PublicationState.revoking, due_at=now, urgent=False)
        .where(
            *_in(place),
            in_ids(CodePublication.code_id, sorted(code_ids)),
            CodePublication.state.in_(_OUT),
        )
        .execution_options(synchronize_session=False)
    )
    await due.wake(session, PUBLISHING_SWEEPS[False])


async def _find_drift(session: AsyncSession, place: ShopTerms, found: KnownPage) -> list[str]:
    """Codes that the shop counts more uses of than we know orders with them."""
    used = {
        found.known[each.code].code_id: each
        for each in found.page.codes
        if each.uses and each.code in found.known
    }
    if not used:
        return []
    counted = await session.execute(
        select(Redemption.code_id, func.count())
        .where(Redemption.brand_id == place.brand_id, in_ids(Redemption.code_id, sorted(used)))
        .group_by(Redemption.code_id)
    )
    orders = {code_id: int(count) for code_id, count in counted}
    return [
        f"{each.code} ({each.uses} there, {orders.get(code_id, 0)} here)"
        for code_id, each in used.items()
        if each.uses > orders.get(code_id, 0)
    ]


async def publish_missing(
    session: AsyncSession, place: ShopTerms, *, began_at: datetime, now: datetime
) -> int:
    """Let live codes that no page had be put into the shop again; returns how many."""
    missing = await lock_publications(
        session,
        *_in(place),
        CodePublication.terms_id == place.terms_id,
        CodePublication.state == PublicationState.live,
        CodePublication.attempt > 0,
        CodePublication.expires_at > now,
        CodePublication.live_at < began_at,
        or_(CodePublication.seen_at.is_(None), CodePublication.seen_at < began_at),
    )
    if missing:
        await session.execute(
            update(CodePublication)
            .values(state=PublicationState.wanted, due_at=now, urgent=False, remote_id=None, job=None)
            .where(*_in(place), in_ids(CodePublication.code_id, missing))
            .execution_options(synchronize_session=False)
        )
        await due.wake(session, PUBLISHING_SWEEPS[False])
    return len(missing)


def sentences_of(progress: CheckProgress, missing: int) -> list[str]:
    """What a whole check found, in sentences; none where all was as it must be."""
    found = []
    if missing:
        found.append(f"{_codes(missing)} missing in the shop and put there again.")
    if progress["changed"]:
        found.append(
            f"Somebody has changed the discount in the shop; set back: {', '.join(progress['changed'])}."
        )
    found += [f"The discount in the shop: {each}" for each in progress["problems"]]
    if progress["extra_count"]:
        found.append(
            f"{_codes(progress['extra_count'])} in our discount and not ours ({_some(progress['extra'])}): delete"
            " them in the shop's admin, unless you know them."
        )
    if progress["drift_count"]:
        found.append(
            f"{_codes(progress['drift_count'])} used more often in the shop than orders have arrived"
            f" ({_some(progress['drift'])}): orders that are not paid and tests count there too; else look"
            " whether the webhooks arrive."
        )
    return found


def _codes(count: int) -> str:
    return "1 code is" if count == 1 else f"{count} codes are"


def _some(shown: Sequence[str]) -> str:
    return ", ".join(shown) + (", …" if len(shown) == SHOWN else "")
