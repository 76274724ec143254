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
