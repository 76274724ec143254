"""Offer and reward terms, stored once per content: what codes and redemptions were made under.

The switches and the dates of a programme are no part of them: those are always read from its newest
version.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_bound_ids
from app.base.prepared import Prepared, Session
from app.brands.models import TermsVersion
from app.brands.programme import OfferTerms, Programme, RewardTerms


class Terms(BaseModel):
    """The offer and reward terms of one version of a programme."""

    model_config = ConfigDict(frozen=True)

    offer: OfferTerms
    reward: RewardTerms


def terms_of(programme: Programme) -> Terms:
    """The part of a programme that codes and redemptions are made under."""
    return Terms(offer=programme.offer, reward=programme.reward)


async def store_terms(session: AsyncSession, brand_id: int, programme: Programme) -> UUID:
    """Store the programme's terms unless the same content is stored already; returns their id."""
    content = terms_of(programme).model_dump(mode="json", by_alias=True)
    terms_id = content_id(content)
    await session.execute(
        insert(TermsVersion)
        .values(brand_id=brand_id, id=terms_id, offer=content["offer"], reward=content["reward"])
        .on_conflict_do_nothing()
    )
    return terms_id


def content_id(content: object) -> UUID:
    """The first 128 bits of the SHA-256 of a JSON value with sorted keys."""
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
    return UUID(bytes=digest[:16])


_KNOWN_AT_MOST = 4096
_known: OrderedDict[tuple[int, UUID], Terms] = OrderedDict()
"""Terms by brand and id that this process has read. Rows never change and their ids are hashes of
their content, so what was read once stays true."""


async def load_terms(session: Session, brand_id: int, ids: Collection[UUID]) -> dict[UUID, Terms]:
    """Several terms of a brand, by id; no query for those that this process has read before."""
    found = {each: _known[brand_id, each] for each in ids if (brand_id, each) in _known}
    missing = [each for each in ids if each not in found]
    if not missing:
        return found
    for terms_id, terms in await _TERMS.all(session, of_brand=brand_id, ids=missing):
        found[terms_id] = _known[brand_id, terms_id] = terms
        if len(_known) > _KNOWN_AT_MOST:
            _known.popitem(last=False)
    return found


def _stored(terms_id: UUID, offer: object, reward: object) -> tuple[UUID, Terms]:
    return terms_id, Terms.model_validate({"offer": offer, "reward": reward})


_TERMS = Prepared(
    select(TermsVersion.id, TermsVersion.offer, TermsVersion.reward).where(
        TermsVersion.brand_id == bindparam("of_brand"), in_bound_ids(TermsVersion.id, "ids")
    ),
    _stored,
)
