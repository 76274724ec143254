"""What the messages of referrals say, as they are rendered."""

from dataclasses import replace

from app.brands.programme import Channel
from app.referrals.templates import OFFER
from tests.support.rendering import item, rendered


def test_an_offer_does_not_say_that_its_page_names_friends():
    content = rendered(item(OFFER, Channel.email, OFFER.sample))
    for part in (content.text, content.html):
        assert part
        assert "never who ordered" in part
        assert "shows who ordered" not in part


def test_an_offer_promises_no_more_than_every_shop_keeps():
    content = rendered(item(OFFER, Channel.email, OFFER.sample))
    for part in (content.text, content.html):
        assert "for orders of €50 or more" in part, "an order of just the minimum counts"
        assert "basket" not in part, "not every shop puts the link's code into it"


def test_amounts_and_days_are_not_divided_between_two_lines():
    sample = replace(OFFER.sample, discount="10\u00a0%", reward="10\u00a0€", minimum="50\u00a0€")
    content = rendered(item(OFFER, Channel.email, sample, locale="de"))
    for part in (content.text, content.html):
        for value in ("10\u00a0% Rabatt", "10\u00a0€", "50\u00a0€ Bestellwert", "1.\u00a0September 2026"):
            assert value in part
    text = rendered(item(OFFER, Channel.sms, sample, locale="de")).text
    assert "\u00a0" not in text, "one such space would more than halve what a text can hold"
