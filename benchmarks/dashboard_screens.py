"""Every screen of the dashboard and every filter of its lists, as addresses in a large brand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from dashboard_home import Filled
from sqlalchemy import text

from app.admin.codes import CodeState
from app.admin.views.period import SPANS
from app.admin.views.scores import GROUPINGS
from app.base import clock
from app.base.ids import id_at, public_id
from app.brands.programme import Channel
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.rules import CodeKind, RedemptionStatus
from app.surveys.rules import Band

_OLD = {"from": "2024-06-12", "to": "2024-07-03"}
_SHOPS = ("second", "small", "new")
_PICKED = {
    "person": "SELECT customer_id FROM referrers ORDER BY id LIMIT 1",
    "referrer": "SELECT referrer_id FROM redemptions WHERE status = 'approved' ORDER BY id LIMIT 1",
    "order": "SELECT id FROM redemptions WHERE status = 'approved' ORDER BY id DESC LIMIT 1",
    "code": "SELECT id FROM codes ORDER BY id LIMIT 1",
    "entry": "SELECT id FROM ledger_entries ORDER BY id LIMIT 1",
    "answer": "SELECT id FROM responses WHERE state = 'closed' ORDER BY id LIMIT 1",
    "ranked": """SELECT referrer_id FROM referrer_figures WHERE span = 'all' AND currency = 'EUR'
        ORDER BY revenue, referrer_id
        LIMIT 1 OFFSET (SELECT count(*) / 2 FROM referrer_figures WHERE span = 'all' AND currency = 'EUR')""",
    "ended": "SELECT id FROM codes WHERE active AND kind = 'share' AND expires_at <= now() ORDER BY id LIMIT 1",
    "staff": "SELECT id FROM staff ORDER BY id LIMIT 1",
}
"""Rows that pages are about, by name."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A page's name in the report and its address."""

    name: str
    path: str
    query: Mapping[str, str]


async def screens_of(filled: Filled) -> list[Screen]:
    """All of them: each list with every filter, for much, little and nothing, and a last page."""
    async with filled.session() as session:
        picked: dict[str, UUID] = {}
        for name, query in _PICKED.items():
            found = (await session.execute(text(query))).scalar()
            if found is None:
                raise ValueError(f"the brand has no {name}")
            picked[name] = UUID(str(found))
        code = await session.scalar(text("SELECT display FROM codes ORDER BY id LIMIT 1"))
        order = await session.scalar(text("SELECT number FROM orders ORDER BY id OFFSET 100 LIMIT 1"))
        email = await session.scalar(
            text("SELECT email FROM customers WHERE id = :id"), {"id": picked["person"]}
        )
    deep = id_at(clock.now() - timedelta(days=1000))
    link, brand_id = filled.parts.context.tokens.link, filled.brand.id
    cursors = {
        name: link("cursor", brand_id, row)
        for name, row in {"deep": deep, "ranked": picked["ranked"], "ended": picked["ended"]}.items()
    }
    values = {"code": str(code), "number": str(order), "email": str(email)}
    lists: dict[str, list[dict[str, str]]] = {
        "/admin": _figures(),
        "/admin/scores": [
            *_figures(),
            *({"by": by.value} for by in GROUPINGS),
            {"by": "product", "days": "all"},
        ],
        "/admin/answers": _answers(picked, values["email"], cursors["deep"]),
        "/admin/orders": _orders(picked, values["code"], cursors["deep"]),
        "/admin/codes": _codes(picked, values["code"], cursors),
        "/admin/referrers": _referrers(cursors),
        "/admin/rewards": [
            *({"q": q} for q in ("", values["email"], values["code"], "nobody@example.com")),
            {"cursor": cursors["deep"]},
        ],
        "/admin/ledger": _ledger(picked, cursors["deep"]),
        "/admin/settings/audit": _audit(picked, cursors["deep"]),
        "/admin/search": [
            *({"q": values[name]} for name in ("email", "number", "code")),
            {"q": "#" + values["number"]},
            {"q": "nothing"},
            {"q": public_id("cus", picked["person"])},
        ],
    }
    pages = (
        f"customers/{public_id('cus', picked['person'])}",
        f"orders/{public_id('red', picked['order'])}",
        f"codes/{public_id('cod', picked['code'])}",
        f"ledger/{public_id('led', picked['entry'])}",
        *("programme/terms", "programme/terms/versions", "programme/messages", "programme/messages/survey"),
        *("programme/look", "settings/team", "settings/shops", "settings/keys", "settings/import"),
        *("settings/alarms", "settings/exports", "system"),
    )
    found = [Screen(_name(path, query), path, query) for path, queries in lists.items() for query in queries]
    return found + [
        Screen(page.split("/")[0] + "/" + page.split("/")[-1][:8], f"/admin/{page}", {}) for page in pages
    ]


def _name(path: str, query: Mapping[str, str]) -> str:
    said = " ".join(f"{name}={value[:14]}" for name, value in query.items() if value)
    return f"{path.rpartition('/')[2]} {said}".strip()


def _figures() -> list[dict[str, str]]:
    spans = [{"days": span.days} for span in SPANS]
    of_shops = [{"shop": shop, "days": days} for shop in _SHOPS for days in ("90", "all")]
    return [*spans, {"from": "2025-01-15", "to": "2025-04-20"}, *of_shops]


def _answers(picked: Mapping[str, UUID], email: str, deep: str) -> list[dict[str, str]]:
    staff = public_id("stf", picked["staff"])
    states = ("open", "answered", "closed", "testimonials", "suspects", "all")
    return [
        *({"state": state} for state in states),
        *({"state": state, "shop": shop} for state in states for shop in _SHOPS),
        *({"band": band.value} for band in Band),
        *({"q": q} for q in ("delivery", "zip", "zipper broken", "xylophone", "e", email)),
        *({"tag": tag} for tag in ("delivery", "zipper", "nothing")),
        *({"channel": channel.value} for channel in Channel),
        {"assignee": staff},
        {"assignee": staff, "state": "open"},
        {"commented": "1"},
        {"commented": "1", "band": "detractor", "channel": "sms"},
        _OLD,
        {**_OLD, "band": "detractor"},
        {**_OLD, "q": "zipper"},
        {"from": "2015-01-01", "to": "2015-02-01"},
        {"tag": "zipper", "state": "answered"},
        {"tag": "delivery", "channel": "sms"},
        {"tag": "delivery", "state": "open"},
        {"q": "zipper", "band": "promoter"},
        {"state": "testimonials", "q": "zipper"},
        {"state": "testimonials", "band": "detractor"},
        {"state": "suspects", "band": "detractor", "commented": "1"},
        {"state": "closed", "band": "promoter"},
        {"state": "open", "band": "promoter"},
        {"state": "all", "cursor": deep},
        {"state": "closed", "cursor": deep},
        {"answer": public_id("rsp", picked["answer"])},
    ]


def _orders(picked: Mapping[str, UUID], code: str, deep: str) -> list[dict[str, str]]:
    statuses = ("", *RedemptionStatus)
    return [
        *({"status": str(status)} for status in statuses),
        *({"status": str(status), "shop": shop} for status in statuses for shop in _SHOPS),
        *({"reason": reason} for reason in ("existing_customer", "currency_mismatch", "disputed")),
        {"status": "approved", "reason": "expired"},
        {"status": "refused", "reason": "currency_mismatch", "shop": "second"},
        {"code": code},
        {"code": "NONE"},
        {"referrer": public_id("ref", picked["referrer"])},
        _OLD,
        {**_OLD, "status": "in_review"},
        {**_OLD, "status": "approved"},
        {"cursor": deep},
        {"status": "refused", "cursor": deep},
    ]


def _codes(picked: Mapping[str, UUID], code: str, cursors: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {},
        *({"shop": shop} for shop in _SHOPS),
        *({"state": state.value} for state in CodeState),
        *({"state": state.value, "shop": shop} for state in CodeState for shop in _SHOPS),
        *({"kind": kind.value} for kind in CodeKind),
        *({"kind": kind.value, "state": "disabled"} for kind in CodeKind),
        {"kind": "friend", "state": "ended"},
        {"code": code},
        {"code": "NONE"},
        {"referrer": public_id("ref", picked["referrer"])},
        {"cursor": cursors["deep"]},
        {"state": "ended", "cursor": cursors["ended"]},
    ]


def _referrers(cursors: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        *({"order": order} for order in ("revenue", "friends", "profit", "newest")),
        *({"order": order, "shop": shop} for order in ("revenue", "newest") for shop in _SHOPS),
        *({"span": span} for span in ("2025", "2025-03", "2015")),
        {"span": "2025-03", "order": "newest"},
        {"cursor": cursors["ranked"]},
        {"order": "newest", "cursor": cursors["deep"]},
    ]


def _ledger(picked: Mapping[str, UUID], deep: str) -> list[dict[str, str]]:
    referrer = public_id("ref", picked["referrer"])
    return [
        {},
        *({"account": account.value} for account in LedgerAccount),
        *({"kind": kind.value} for kind in CauseKind),
        *({"currency": currency} for currency in ("EUR", "USD")),
        {"cause": public_id("red", picked["order"])},
        {"referrer": referrer},
        {"referrer": referrer, "account": "discount_cost"},
        _OLD,
        {**_OLD, "account": "discount_cost"},
        {**_OLD, "account": "spent_rewards"},
        {"account": "discount_cost", "kind": "reward"},
        {"account": "referrers", "kind": "adjustment"},
        {"from": "2015-01-01", "to": "2015-02-01"},
        {"cursor": deep},
        {"account": "discount_cost", "cursor": deep},
    ]


def _audit(picked: Mapping[str, UUID], deep: str) -> list[dict[str, str]]:
    staff = public_id("stf", picked["staff"])
    nobody = public_id("stf", picked["person"])
    return [
        {},
        *({"action": action} for action in ("people_listed", "key_added", "customer_erased")),
        *({"actor": actor} for actor in (staff, nobody, "cli")),
        {"actor": staff, "action": "key_added"},
        {"actor": "cli", "action": "customer_erased"},
        {"subject": public_id("cus", picked["person"])},
        _OLD,
        {**_OLD, "action": "key_added"},
        {"cursor": deep},
    ]
