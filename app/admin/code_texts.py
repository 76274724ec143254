"""Sentences about codes: where one works, and why it is taken for leaked."""

from app.base.i18n import N_, SOURCE, translate
from app.base.text import one_line
from app.brands.models import Shop
from app.platforms.registry import adapter_of
from app.referrals.leak_rules import LeakReason
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import PublicationState

_PLACES = {
    PublicationState.wanted: N_("It is being put into the shop, which takes seconds, seldom minutes."),
    PublicationState.sending: N_("It is being put into the shop, which takes seconds, seldom minutes."),
    PublicationState.failed: N_("The shop refused it: %(reason)s Replace it: a new code is tried at once."),
    PublicationState.revoking: N_("It is being taken out of the shop."),
    PublicationState.revoked: N_("It is not in the shop any more."),
}
_LEAKS = {
    LeakReason.many_in_a_day: N_("Ten or more orders came with it within a day."),
    LeakReason.turned_away: N_(
        "%(turned_away)s orders came for which it did not count: it was used up, or their buyers had ordered"
        " before."
    ),
    LeakReason.without_visits: N_(
        "%(orders)s orders came with it within 30 days, but only %(visits)s people opened the link."
    ),
}


def place_text(publication: CodePublication, shop: Shop, why: str | None, *, is_connected: bool) -> str:
    """Whether a code works in a shop, and what to do where it does not.

    `why` is why no code at all can be put there at present.
    """
    if publication.state is PublicationState.live:
        return _live_text(shop, is_there=publication.attempt > 0 or is_connected)
    if why and publication.state in (PublicationState.wanted, PublicationState.sending):
        text = N_("The shop refuses new codes: %(reason)s Mend its connection.")
        return translate(SOURCE, text, reason=one_line(why, limit=200))
    reason = one_line(publication.reason or "", limit=200)
    return translate(SOURCE, _PLACES[PublicationState(publication.state)], reason=reason)


def _live_text(shop: Shop, *, is_there: bool) -> str:
    if is_there:
        return translate(SOURCE, "It works in the shop’s cart.")
    if adapter_of(shop.platform).publishes_codes:
        return translate(
            SOURCE, "Orders that name it count, but the cart does not know it. Connect the shop."
        )
    return translate(SOURCE, "It counts with every order that names it.")


def leak_text(reason: LeakReason | str, **counts: int) -> str:
    """Why a code is taken for leaked; `counts` are those of `CodeLeak`."""
    if reason == LeakReason.without_visits and not counts["visits"]:
        text = N_("%(orders)s orders came with it within 30 days, and nobody opened the link.")
        return translate(SOURCE, text, **counts)
    return translate(SOURCE, _LEAKS[LeakReason(reason)], **counts)
