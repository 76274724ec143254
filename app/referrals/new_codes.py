"""Write referrers and their share codes: one statement for those who are new, a few for others."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.outbox import Event, record_events
from app.base.prepared import Prepared
from app.base.tokens import new_slug
from app.base.touched import touch
from app.referrals.code_drafts import CodeTerms, ShareCode, draft_codes
from app.referrals.code_state import in_home_shop, is_live, status_of
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.rules import CodeKind, CodeStatus

TRIES = 8
"""Tries to draw a free slug or code: with about 49 bits one clash is rare and eight are a bug."""


@dataclass(frozen=True, slots=True)
class NewReferrer:
    """A customer whose latest response is 9 or 10; an imported one has no `survey_id`."""

    customer_id: UUID
    shop_id: UUID
    survey_id: UUID | None = None
    trial: bool = False
    """Whether the response was to a trial's survey."""


_GIVEN = """
    SELECT * FROM jsonb_to_recordset(:drafts) AS given (
        referrer_id uuid, customer_id uuid, slug text, survey_id uuid, shop_id uuid, code_id uuid, code text,
        display text, redeemable boolean, terms_id uuid, discount_kind text, discount_value numeric,
        currency text, minimum_subtotal numeric, max_uses integer, expires_at timestamptz, state text, due_at timestamptz,
        urgent boolean, trial boolean)
"""
_CODED = """
    INSERT INTO codes (brand_id, id, referrer_id, kind, code, display, terms_id, discount_kind,
                       discount_value, currency, minimum_subtotal, max_uses, uses, redeemable, active,
                       starts_at, expires_at)
    SELECT :brand_id, code_id, referrer_id, 'share', code, display, terms_id, discount_kind, discount_value,
           currency, minimum_subtotal, max_uses, 0, redeemable, true, :now, expires_at
"""
_PUBLISHED = """
    INSERT INTO code_publications (brand_id, code_id, shop_id, issued_id, code, terms_id, expires_at, state, urgent,
                                   due_at, attempt, trial, live_at)
    SELECT :brand_id, code_id, shop_id, code_id, display, terms_id, expires_at, state, urgent, due_at, 0, trial,
           CASE state WHEN 'live' THEN CAST(:now AS timestamptz) END
    FROM given JOIN coded ON coded.id = given.code_id WHERE given.redeemable
    ON CONFLICT (brand_id, code_id, shop_id) DO UPDATE SET issued_id = excluded.issued_id,
        expires_at = excluded.expires_at, trial = excluded.trial
"""


class _MadeReferrer(NamedTuple):
    """A referrer's columns, and the id of the code where both are new."""

    id: UUID
    customer_id: UUID
    slug: str
    shop_id: UUID
    survey_id: UUID | None
    revoked_at: datetime | None
    code_id: UUID | None


# A code of the pool has its publication already, which is live.
# A slug or a code that exists already leaves its row out; the next try draws another. Rows are
# locked and inserted in the order of customers. Whom a trial made a referrer belongs to their first
# response to a real survey: figures leave out the referrers of trials. Surveys belong to a package
# above this one and are known by the table's name alone.
_NEW_REFERRERS = Prepared(
    text(f"""
    WITH given AS MATERIALIZED ({_GIVEN}), present AS MATERIALIZED (
        SELECT id, customer_id, slug, shop_id, survey_id, revoked_at FROM referrers
        WHERE brand_id = :brand_id AND customer_id IN (SELECT customer_id FROM given)
        ORDER BY customer_id FOR NO KEY UPDATE
    ), real AS (
        UPDATE referrers SET survey_id = given.survey_id
        FROM present JOIN given ON given.customer_id = present.customer_id
        WHERE referrers.brand_id = :brand_id AND referrers.id = present.id
          AND NOT given.trial AND given.survey_id IS NOT NULL
          AND EXISTS (SELECT FROM surveys WHERE brand_id = :brand_id AND id = present.survey_id AND trial)
    ), made AS (
        INSERT INTO referrers (brand_id, id, customer_id, slug, shop_id, survey_id)
        SELECT :brand_id, referrer_id, customer_id, slug, shop_id, survey_id FROM given
        WHERE customer_id NOT IN (SELECT customer_id FROM present)
        ORDER BY customer_id ON CONFLICT DO NOTHING
        RETURNING id, customer_id, slug, shop_id, survey_id, revoked_at
    ), coded AS (
        {_CODED} FROM given JOIN made ON made.id = given.referrer_id
        ON CONFLICT DO NOTHING RETURNING id, referrer_id
    ), published AS ({_PUBLISHED})
    SELECT present.*, CAST(NULL AS uuid) AS code_id FROM present
    UNION ALL SELECT made.*, coded.id FROM made LEFT JOIN coded ON coded.referrer_id = made.id
""").bindparams(bindparam("drafts", type_=JSONB)),
    _MadeReferrer,
)
_NEW_CODES = text(f"""
    WITH given AS MATERIALIZED ({_GIVEN}), coded AS (
        {_CODED} FROM given ON CONFLICT DO NOTHING RETURNING id
    ), published AS ({_PUBLISHED})
    SELECT id FROM coded
""").bindparams(bindparam("drafts", type_=JSONB))


async def make_referrers(
    session: AsyncSession, brand_id: int, promoters: Iterable[NewReferrer], terms: CodeTerms, *, now: datetime
) -> tuple[dict[UUID, Referrer], dict[UUID, ShareCode]]:
    """The promoters' referrer rows, locked, and the codes of those who are new; both by referrer.

    Because of the locks concurrent calls cannot issue them a code too. A new referrer has no code
    where it clashed with another.
    """
    missing = {each.customer_id: each for each in promoters}
    referrers: dict[UUID, Referrer] = {}
    made: dict[UUID, ShareCode] = {}
    for _ in range(TRIES):
        if not missing:
            await _record_codes(session, brand_id, made.values(), now=now)
            # The response of a survey is noted with all that it brings about.
            unsurveyed = [each.id for each in referrers.values() if each.survey_id is None]
            await touch(session, brand_id, "referrers", unsurveyed)
            return referrers, made
        new = [_new_referrer(brand_id, each) for each in missing.values()]
        drafts = draft_codes(new, terms, now=now)
        values = [draft.values() for draft in drafts.values()]
        for row in await _NEW_REFERRERS.all(session, brand_id=brand_id, now=now, drafts=values):
            given = row._asdict()
            code_id = given.pop("code_id")
            referrers[row.id] = Referrer(brand_id=brand_id, **given)
            del missing[row.customer_id]
            if code_id is not None:
                made[row.id] = drafts[code_id].share_code
    raise RuntimeError("no free share slug was found")


def _new_referrer(brand_id: int, promoter: NewReferrer) -> Referrer:
    """A row that is not written yet, with a slug that is probably free."""
    return Referrer(
        brand_id=brand_id,
        id=new_id(),
        customer_id=promoter.customer_id,
        slug=new_slug(brand_id),
        shop_id=promoter.shop_id,
        survey_id=promoter.survey_id,
    )


async def make_codes(
    session: AsyncSession, referrers: Sequence[Referrer], terms: CodeTerms, *, now: datetime
) -> dict[UUID, ShareCode]:
    """New share codes under the terms in force, published in their home shops, by referrer."""
    missing = {referrer.id: referrer for referrer in referrers}
    made: dict[UUID, ShareCode] = {}
    for _ in range(TRIES):
        if not missing:
            break
        drafts = draft_codes(missing.values(), terms, now=now)
        given = {
            "brand_id": referrers[0].brand_id,
            "now": now,
            "drafts": [draft.values() for draft in drafts.values()],
        }
        for code_id in await session.scalars(_NEW_CODES, given):
            draft = drafts[code_id]
            made[draft.referrer.id] = draft.share_code
            del missing[draft.referrer.id]
    if missing:
        raise RuntimeError("no free code was found")
    if made:
        await _record_codes(session, referrers[0].brand_id, made.values(), now=now)
    return made


async def _record_codes(
    session: AsyncSession, brand_id: int, made: Collection[ShareCode], *, now: datetime
) -> None:
    await record_events(session, brand_id, [Event("code.issued", each.code.id, now) for each in made])


async def keep_codes(
    session: AsyncSession, brand_id: int, referrer_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, ShareCode]:
    """The usable share codes by referrer; those that no longer work are set inactive."""
    if not referrer_ids:
        return {}
    rows = await session.execute(
        select(Code, Referrer.id, CodePublication.state)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(CodePublication, in_home_shop(), isouter=True)
        .where(
            Code.brand_id == brand_id,
            in_ids(Code.referrer_id, referrer_ids),
            Code.active,
            Code.kind == CodeKind.share,
        )
    )
    working, useless = {}, []
    for code, referrer_id, state in rows:
        if status_of(code, now=now) is CodeStatus.active:
            working[referrer_id] = ShareCode(code, is_live(code, state))
        else:
            useless.append(code.id)
    if useless:
        await session.execute(
            update(Code).where(Code.brand_id == brand_id, in_ids(Code.id, useless)).values(active=False)
        )
        await revoke_publications(session, brand_id, useless, now=now)
    return working
