"""Rewards, Balances: what is owed in each currency and to each referrer."""

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForMarketer, ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.export_rules import ExportName
from app.admin.ledger import find_balance, find_balances, liability_report, refuse_limited
from app.admin.listing import PageRequest, get_row, list_page
from app.admin.rows import REWARDS
from app.admin.rules import goodwill_times
from app.admin.views import ledger as view
from app.base import clock, money
from app.base.errors import AppError
from app.base.i18n import N_, SOURCE, translate
from app.base.ids import new_id, parse_public_id, public_id
from app.base.text import is_clean
from app.brands.entered import NAME_LIMIT
from app.brands.programme import RewardKind
from app.referrals.find_referrers import home_shop_of
from app.referrals.goodwill import Grant, grant_goodwill
from app.referrals.reward_models import Reward
from app.referrals.take_back import take_goodwill_back

PATH = "/admin/rewards"
_AT_ONCE = 50
_BY_CODE = N_("Granted. Their code is on their own page: no message is sent, so write to them.")
_AS_CREDIT = N_("Granted as credit. No message is sent, so write to them.")
router = screen_router(PATH)


@router.get("")
async def show_balances(frame: ForViewer) -> Response:
    """The figures of each currency, then referrers, or those who are found by `q`."""
    refuse_limited(frame.staff.actor)
    query = frame.request.query_params
    text = (query.get("q") or "").strip()[:NAME_LIMIT]
    if not is_clean(text):
        return RedirectResponse(frame.url(PATH), 303)
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    try:
        after = wanted.after(frame.brand.id)
    except AppError:
        return RedirectResponse(frame.url(PATH), 303)
    found, last = await find_balances(
        frame.session, frame.staff.actor, text or None, after=after, limit=_AT_ONCE
    )
    older = wanted.cursor_after(frame.brand.id, last)
    report = await liability_report(frame.session, frame.brand, now=clock.now())
    values = {
        "currencies": view.currency_figures(report.data),
        "rows": view.balance_rows(found),
        "older": frame.here(cursor=older) if older else "",
        "q": text,
        "everything": frame.url(PATH),
        "exports": _exports(frame, text, [each.referrer for each in found]),
    }
    return frame.page("admin/rewards.html", "balances", values)


def _exports(frame: Frame, text: str, referrers: list[str]) -> list[tuple[str, str]]:
    """Links to the rewards of those who are shown; none where a search found several or nobody."""
    if text and len(referrers) != 1:
        return []
    only = {"referrer": referrers[0]} if text else {}
    return links_of(frame, ExportName.rewards, (), only, by_shop=False)


@router.get("/goodwill")
async def show_goodwill(frame: ForMarketer) -> Response:
    """The form by which a referrer is granted something without a friend's order."""
    refuse_limited(frame.staff.actor)
    return await _form(frame, frame.request.query_params.get("referrer") or "", "", "", {})


@router.post("/goodwill")
async def give_goodwill(writer: MarketerWriter) -> Response:
    """Grant it; what cannot be granted is said beside the form."""
    frame, form = writer
    refuse_limited(frame.staff.actor)
    referrer, amount = form.text("referrer", limit=100), form.text("amount", limit=40)
    reason = form.text("reason", limit=NAME_LIMIT)
    referrer_id = parse_public_id("ref", referrer)
    once = form.text("once", limit=100)
    shop = await home_shop_of(frame.session, frame.brand.id, referrer_id)
    errors = {}
    minor = 0
    try:
        minor = money.parse(amount, shop.currency)
    except money.MoneyError as error:
        errors["amount"] = f"{error}.".capitalize()
    if not reason or not is_clean(reason):
        errors["reason"] = translate(SOURCE, "Say what it is for.")
    if errors:
        return await _form(frame, referrer, amount, reason, errors)
    try:
        reward = await grant_goodwill(
            frame.session,
            frame.brand,
            referrer_id,
            money.Money(minor, shop.currency),
            times=goodwill_times(frame.staff.role),
            actor=frame.staff.actor,
            grant=Grant(reason, parse_public_id("rwd", once)) if once else Grant(reason),
            now=clock.now(),
        )
    except AppError as error:
        if error.status not in (409, 422):
            raise
        return await _form(frame, referrer, amount, reason, {"amount": error.detail})
    by_code = reward.kind is RewardKind.code
    text = _BY_CODE if by_code else _AS_CREDIT
    return frame.redirect(frame.url(PATH, q=referrer), translate(SOURCE, text), Tone.done)


@router.post("/goodwill/{id}/take-back")
async def take_back(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """Take back what was not spent of goodwill; a refusal is said on the form's page."""
    frame, form = writer
    refuse_limited(frame.staff.actor)
    reward_id = parse_public_id("rwd", id)
    row = await get_row(frame.session, frame.staff.actor, REWARDS, reward_id)
    back = frame.url(f"{PATH}/goodwill", referrer=row.referrer)
    reason = form.text("reason", limit=NAME_LIMIT)
    if not reason or not is_clean(reason):
        return frame.redirect(back, translate(SOURCE, "Say why it is taken back."), Tone.failed)
    try:
        await take_goodwill_back(
            frame.session, frame.brand, reward_id, actor=frame.staff.actor, reason=reason, now=clock.now()
        )
    except AppError as error:
        if error.status != 409:
            raise
        return frame.redirect(back, error.detail, Tone.failed)
    return frame.redirect(back, translate(SOURCE, "Taken back. No message is sent, so write to them."))


async def _form(frame: Frame, referrer: str, amount: str, reason: str, errors: dict[str, str]) -> Response:
    found = await find_balance(frame.session, frame.staff.actor, referrer)
    referrer_id = parse_public_id("ref", referrer)
    shop = await home_shop_of(frame.session, frame.brand.id, referrer_id)
    given = await list_page(
        frame.session,
        PageRequest(frame.context.tokens, _AT_ONCE, None),
        frame.staff.actor,
        REWARDS,
        Reward.referrer_id == referrer_id,
        Reward.redemption_id.is_(None),
    )
    values = {
        # A form that is sent twice names the same reward.
        "once": public_id("rwd", new_id()),
        "referrer": referrer,
        "row": view.balance_rows([found])[0],
        "given": view.goodwill_rows(given.data),
        "currency": shop.currency,
        "amount": amount,
        "reason": reason,
        "errors": errors,
        "times": goodwill_times(frame.staff.role),
        "reason_limit": NAME_LIMIT,
    }
    return frame.page("admin/goodwill.html", "balances", values, status=422 if errors else 200)
