"""The visit that opening a friend's landing page is: whether it is one, whose, and its count."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from app.base.ids import new_id
from app.base.prepared import Prepared, Session
from app.base.tokens import Tokens
from app.base.touched import touch_with
from app.brands.rules import zone_or
from app.referrals.friend_offer import FriendOffer
from app.referrals.visit_models import Visit

_BROWSER = re.compile(r"(?:Mozilla|Opera)/\d")
"""How every browser names itself, in-app browsers too; scripts and mail scanners often do not."""
_MACHINES = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp/|embedly|headless|lighthouse|"
    r"scan|monitor|pingdom|uptime|phantom|selenium|curl|python|https?://",
    re.IGNORECASE,
)
"""User agents that are no person: search engines, messengers that preview a link, and checkers; a
web address in one is that of a program's documentation."""
_MOST_READ = 1024
"""Characters of a user agent that are read; a browser's has some hundred."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a link on a day of the brand's zone, as keyed hashes of the link and the day."""

    key: bytes
    """Of their network and browser."""
    make_network: Callable[[], bytes]
    """Of their network alone, which only a friend's own code asks for."""
    day_began: datetime

    @property
    def network(self) -> bytes:
        """Of their network alone."""
        return self.make_network()


def is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may be a person's: a browser's GET of a page, no prefetch, no program."""
    purpose = " ".join(
        headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")
    ).lower()
    if method != "GET" or "prefetch" in purpose or "preview" in purpose:
        return False
    if headers.get("sec-fetch-dest", "document") != "document":
        return False
    return _is_browser(headers.get("user-agent", "")[:_MOST_READ])


@lru_cache(maxsize=1024)
def _is_browser(agent: str) -> bool:
    return _BROWSER.match(agent) is not None and _MACHINES.search(agent) is None


def visitor_of(tokens: Tokens, offer: FriendOffer, network: str, browser: str, *, now: datetime) -> Visitor:
    """What tells people apart: network and browser; neither can be read from the hashes."""
    zone = zone_or(offer.brand.time_zone, "UTC")
    day = now.astimezone(zone).date()
    return Visitor(
        key=tokens.visitor_key(offer.referrer_id, day, f"{network} {browser}"),
        make_network=lambda: tokens.visitor_key(offer.referrer_id, day, f"network {network}"),
        day_began=datetime.combine(day, time(), tzinfo=zone),
    )


async def record_visit(session: Session, offer: FriendOffer, visitor: Visitor, *, now: datetime) -> None:
    """Count a person who opened the link, once on each day of the brand's zone."""
    await _VISIT.run(
        session,
        brand_id=offer.brand.id,
        id=new_id(),
        referrer_id=offer.referrer_id,
        visitor=visitor.key,
        at=now,
    )


_VISITED = ("brand_id", "id", "referrer_id", "visitor", "at")
_visit = (
    insert(Visit)
    .values({name: bindparam(name) for name in _VISITED})
    .on_conflict_do_nothing()
    .returning(Visit.brand_id, Visit.referrer_id)
    .cte("visit")
)
_VISIT = Prepared(touch_with("referrers", _visit.c.brand_id, _visit.c.referrer_id), tuple)
