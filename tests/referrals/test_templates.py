"""What the messages of referrals say, as they are rendered."""

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
