"""What a survey's messages say, as they are rendered."""

import re

import pytest

from app.brands.programme import Channel
from app.messaging.templates import TemplateSpec
from app.surveys.templates import REMINDER, SURVEY, SurveyParams
from tests.support.rendering import item, rendered

OCCASION = SurveyParams(first_name="Ana", item_title=None, order_number=None, ordered_on=None)
ORDER = SurveyParams(first_name="Ana", item_title=None, order_number="1001", ordered_on="2026-03-03")


def shown(template: TemplateSpec, channel: Channel, params: SurveyParams) -> str:
    """Subject, text and HTML as a reader sees them."""
    content = rendered(item(template, channel, params))
    parts = [content.subject or "", content.text, re.sub(r"<[^>]*>", " ", content.html or "")]
    return " ".join(" ".join(parts).split())


@pytest.mark.parametrize("template", [SURVEY, REMINDER], ids=["survey", "reminder"])
@pytest.mark.parametrize("channel", list(Channel))
def test_a_survey_about_an_occasion_says_nothing_of_an_order(template: TemplateSpec, channel: Channel):
    text = shown(template, channel, OCCASION)
    assert "recommend" in text
    assert re.search(r"\b(order|bought|None)\b|\(\)", text) is None


@pytest.mark.parametrize(
    ("template", "subject"),
    [(SURVEY, "One question from Acme"), (REMINDER, "Still one question from Acme")],
    ids=["survey", "reminder"],
)
def test_its_mail_says_why_it_came(template: TemplateSpec, subject: str):
    content = rendered(item(template, Channel.email, OCCASION))
    assert content.subject == subject
    for part in (content.text, content.html):
        assert part
        assert "You get this because you are a customer of Acme." in part


@pytest.mark.parametrize("template", [SURVEY, REMINDER], ids=["survey", "reminder"])
def test_a_survey_about_an_order_names_it(template: TemplateSpec):
    content = rendered(item(template, Channel.email, ORDER))
    assert content.subject
    assert content.subject.endswith("question about your order from Acme")
    for part in (content.text, content.html):
        assert part
        assert (
            "You get this because you bought something from Acme on 3\u00a0March 2026 (order 1001)." in part
        )


@pytest.mark.parametrize("template", [SURVEY, REMINDER], ids=["survey", "reminder"])
def test_a_text_message_asks_for_no_reply_with_a_number_since_none_is_read(template: TemplateSpec):
    text = shown(template, Channel.sms, ORDER)
    assert "Answer here: http" in text
    assert re.search(r"reply(?! STOP)", text, re.IGNORECASE) is None
