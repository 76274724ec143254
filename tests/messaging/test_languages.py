"""Messages are sent in the reader's language, and shown as sent in that language."""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import pytest
from sqlalchemy import update

from app.base import i18n
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.i18n import languages
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.as_sent import as_sent
from app.messaging.models import Message
from app.messaging.providers.protocol import Content
from app.messaging.render import fill
from app.messaging.sources import translatable
from app.messaging.templates import ParamKind, TemplateSpec, registered
from app.messaging.versions import current_version, shared_parts, template_parts
from app.surveys.templates import SURVEY
from tests.support.constants import NOW
from tests.support.factories.messages import queue, the_message
from tests.support.fakes.scripted import Scripted, both
from tests.support.rendering import item, rendered

AddLanguage = Callable[[str, str], None]
GERMAN = """
msgid "Hi %(first_name)s,"
msgstr "Hallo %(first_name)s,"

msgid "One question about your order from %(shop)s"
msgstr "Eine Frage zu Ihrer Bestellung bei %(shop)s"

msgid "How likely are you to recommend %(brand)s to a friend?"
msgstr "Wie wahrscheinlich ist es, dass Sie %(brand)s weiterempfehlen?"

msgid "You get this because you bought \\"%(item_title)s\\" from %(shop)s on %(ordered_on)s (order %(order_number)s)."
msgstr "Sie erhalten dies, weil Sie am %(ordered_on)s bei %(shop)s \\"%(item_title)s\\" gekauft haben (%(order_number)s)."
"""


@pytest.fixture(autouse=True)
def _each_test_reads_its_own_catalogs() -> Iterator[None]:
    current_version.cache_clear()
    shared_parts.cache_clear()
    yield
    current_version.cache_clear()
    shared_parts.cache_clear()


def entries(template: TemplateSpec) -> str:
    """A catalog that puts every string of a template into brackets."""
    sources = [
        source for channel in template.channels for source in template_parts(template.name, channel).values()
    ]
    texts = sorted({text for source in sources for text in translatable(source)})
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for text in texts]
    return "\n".join(f'msgid "{text}"\nmsgstr "⟦{text}⟧"\n' for text in quoted)


def received(provider: Scripted) -> Content:
    (batch,) = provider.calls
    return fill(batch.content, batch.recipients[0].values)


@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
def test_every_template_renders_in_every_language_and_channel(template: TemplateSpec) -> None:
    for language in languages():
        for channel in template.channels:
            content = rendered(item(template, channel, locale=language))
            assert "%(" not in content.subject + content.text + content.html
            assert "{" not in content.subject + content.text
            assert content.text.strip()


@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
def test_no_text_of_a_template_is_left_untranslated(
    template: TemplateSpec, add_language: AddLanguage
) -> None:
    add_language("de", entries(template))
    given = asdict(template.sample)
    for channel in template.channels:
        content = rendered(item(template, channel, locale="de-AT"))
        page = re.sub(r"(?s)<style.*?</style>|<!--.*?-->|<title>.*?</title>|<[^>]*>", " ", content.html)
        for part in (content.subject, content.text, page):
            rest = re.sub(
                r"⟦[^⟦⟧]*⟧|https?://\S+|Acme Goods|1 Main St, Berlin|ANA-7K4QX|K7QX4M9WPA", " ", part
            )
            # What a person wrote, and what a mail to staff is about, is in their language.
            for name in given if template.to_staff else template.names_of(ParamKind.lines):
                for line in str(given[name]).splitlines():
                    rest = rest.replace(line, " ")
            assert not re.search(r"[^\W\d_]", rest), rest


async def test_a_german_reader_gets_a_german_mail_and_it_is_shown_as_sent(
    context: AppContext, brand: Brand, shop: Shop, add_language: AddLanguage
) -> None:
    add_language("de", GERMAN)
    await queue(context, brand, shop, locale="de-AT")
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    mail = received(provider)
    assert mail.subject == "Eine Frage zu Ihrer Bestellung bei Acme"
    assert "Hallo Ana," in mail.text
    assert 'Sie erhalten dies, weil Sie am 3.\u00a0März 2026 bei Acme "Linen shirt" gekauft' in mail.text
    assert "Wie wahrscheinlich ist es, dass Sie Acme Goods weiterempfehlen?" in mail.html
    assert '<html lang="de"' in mail.html
    # The next release has no German.
    (i18n.LOCALES / "de/LC_MESSAGES/tenfold.po").unlink()
    i18n.reload_catalogs()
    async with context.sessions() as session:
        shown = await as_sent(session, context, brand.id, (await the_message(context)).id)
    assert shown.subject == mail.subject
    assert "Wie wahrscheinlich ist es, dass Sie Acme Goods weiterempfehlen?" in (shown.html or "")
    assert "3.\u00a0März 2026" in (shown.text or "")


async def test_readers_of_two_languages_are_in_two_batches(
    context: AppContext, brand: Brand, shop: Shop, add_language: AddLanguage
) -> None:
    add_language("de", GERMAN)
    await queue(context, brand, shop, 2)
    async with context.sessions.begin() as session:
        first = update(Message).where(Message.address == "person0@example.com")
        await session.execute(first.values(locale="de"))
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    assert {batch.content.subject.split("-")[0] for batch in provider.calls} == {
        "One question about your order from Acme",
        "Eine Frage zu Ihrer Bestellung bei Acme",
    }


async def test_a_language_we_do_not_have_falls_back_to_the_brands(
    context: AppContext, brand: Brand, shop: Shop, add_language: AddLanguage
) -> None:
    add_language("de", GERMAN)
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(locale="de"))
    await queue(context, brand, shop, locale="fi")
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    assert received(provider).subject == "Eine Frage zu Ihrer Bestellung bei Acme"


def test_a_name_is_escaped_in_a_translated_sentence(add_language: AddLanguage) -> None:
    add_language("de", GERMAN)
    hostile = replace(SURVEY.sample, first_name="D'Arcy", order_number="<b>%(x)s %")
    content = rendered(item(SURVEY, Channel.email, hostile, locale="de"))
    assert "Hallo D&#x27;Arcy," in content.html
    assert "Hallo D'Arcy," in content.text
    assert "&lt;b&gt;%(x)s %" in content.html
    assert "<b>%(x)s %" in content.text
