"""Alarms in words: what is wrong, and the sentence that mends it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.base.i18n import N_, SOURCE, translate, translate_plural
from app.insight.alarm_rules import HELD_LONG, AlarmKind, Finding

_TOPICS = {
    AlarmKind.no_surveys: N_("no survey goes out"),
    AlarmKind.pool_low: N_("few codes are ready"),
    AlarmKind.leaked_code: N_("a code may have leaked"),
    AlarmKind.held_long: N_("friends’ orders wait too long"),
    AlarmKind.connection_broken: N_("a shop’s connection is broken"),
    AlarmKind.circuit_open: N_("an account fails"),
    AlarmKind.deliveries_failed: N_("deliveries failed"),
    AlarmKind.work_stopped: N_("nothing is processed or sent"),
}


@dataclass(frozen=True, slots=True)
class AlarmText:
    """An alarm for people; `page` is the dashboard's page to act on, after `/admin`."""

    title: str
    remedy: str
    page: str


def alarm_topic(kind: AlarmKind | str) -> str:
    """The kind in a few words, such as `few codes are ready`; a later version's word as it is."""
    return translate(SOURCE, _TOPICS[kind]) if isinstance(kind, AlarmKind) else kind


def alarm_text(finding: Finding) -> AlarmText:
    """What is wrong and what to do about it, in English as the dashboard is."""
    return _TEXTS[finding.kind](finding)


def _no_surveys(it: Finding) -> AlarmText:
    title = _("No survey went out for %(hours)s hours, though orders came.", hours=it.name)
    if not it.detail:
        remedy = translate_plural(
            SOURCE,
            "One survey is overdue. See on the page System whether an account fails; the operator checks"
            " that a worker runs (tenfold worker).",
            "%(num)s surveys are overdue. See on the page System whether an account fails; the operator"
            " checks that a worker runs (tenfold worker).",
            it.count,
        )
        return AlarmText(title, remedy, "/system")
    remedy = translate_plural(
        SOURCE,
        "One survey was skipped: %(reason)s. Check what the shop passes on with an order, and the rules of"
        " its countries.",
        "%(num)s surveys were skipped, most of them because %(reason)s. Check what the shop passes on with an"
        " order, and the rules of its countries.",
        it.count,
        reason=it.detail,
    )
    return AlarmText(title, remedy, "")


def _pool_low(it: Finding) -> AlarmText:
    title = translate_plural(
        SOURCE,
        "Only one code is ready in %(shop)s, so offers wait.",
        "Only %(num)s codes are ready in %(shop)s, so offers wait.",
        it.count,
        shop=it.name,
    )
    if not it.detail:
        return AlarmText(
            title,
            _("Check the shop’s connection: new codes are not being put into the shop."),
            "/settings/shops",
        )
    remedy = _("The shop refuses new codes: %(reason)s Mend its connection.", reason=_sentence(it.detail))
    return AlarmText(title, remedy, "/settings/shops")


def _leaked_code(it: Finding) -> AlarmText:
    title = translate_plural(
        SOURCE,
        "One code may have leaked: strangers seem to use it.",
        "%(num)s codes may have leaked: strangers seem to use them.",
        it.count,
    )
    remedy = translate_plural(
        SOURCE,
        "Look at its orders, and replace it in one click, or decide that it is not leaked.",
        "Look at the orders of each, and replace it in one click, or decide that it is not leaked.",
        it.count,
    )
    return AlarmText(title, remedy, "/codes?state=suspected")


def _held_long(it: Finding) -> AlarmText:
    title = translate_plural(
        SOURCE,
        "One friend’s order has waited for a decision for more than %(days)s days.",
        "%(num)s friends’ orders have waited for a decision for more than %(days)s days.",
        it.count,
        days=HELD_LONG.days,
    )
    remedy = _("Approve or reject them: their referrers wait for the reward.")
    return AlarmText(title, remedy, "/orders?status=in_review")


def _connection_broken(it: Finding) -> AlarmText:
    title = _("The connection of %(shop)s is broken: %(reason)s", shop=it.name, reason=_sentence(it.detail))
    remedy = _("Mend it as the sentence says, or connect the shop anew; it is checked again at once.")
    return AlarmText(title, remedy, "/settings/shops")


def _circuit_open(it: Finding) -> AlarmText:
    title = _("Nothing is sent by %(provider)s: %(reason)s", provider=it.name, reason=_sentence(it.detail))
    remedy = (
        _("Give the credentials of your own account anew, or remove it; it is tested by itself.")
        if it.subject.endswith(" own")
        else _("The operator corrects its settings, or waits until it works again: it is tested by itself.")
    )
    return AlarmText(title, remedy, "/system")


def _deliveries_failed(it: Finding) -> AlarmText:
    title = translate_plural(
        SOURCE,
        "One delivery of %(shop)s could not be processed.",
        "%(num)s deliveries of %(shop)s could not be processed.",
        it.count,
        shop=it.name,
    )
    if not it.detail:
        return AlarmText(title, _("Read why on the page System, and process them again there."), "/system")
    remedy = _(
        "The last one: %(reason)s Correct it in the shop, and process them again on the page System.",
        reason=_sentence(it.detail),
    )
    return AlarmText(title, remedy, "/system")


def _work_stopped(_it: Finding) -> AlarmText:
    return AlarmText(
        _("Orders or messages wait, and nothing is processed or sent."),
        _(
            "The operator checks that a worker runs (tenfold worker) and reads its log; what waits is done"
            " once it does. See the page System for what waits."
        ),
        "/system",
    )


def _sentence(text: str) -> str:
    """The text with a full stop at its end."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _(text: str, /, **values: object) -> str:
    return translate(SOURCE, text, **values)


_TEXTS: Mapping[AlarmKind, Callable[[Finding], AlarmText]] = {
    AlarmKind.no_surveys: _no_surveys,
    AlarmKind.pool_low: _pool_low,
    AlarmKind.leaked_code: _leaked_code,
    AlarmKind.held_long: _held_long,
    AlarmKind.connection_broken: _connection_broken,
    AlarmKind.circuit_open: _circuit_open,
    AlarmKind.deliveries_failed: _deliveries_failed,
    AlarmKind.work_stopped: _work_stopped,
}
