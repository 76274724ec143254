"""A message is shown as it was sent, whatever has changed since."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import NotFound
from app.base.ids import new_id
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.messaging import versions
from app.messaging.as_sent import AsSent, as_sent
from app.messaging.erase import erase_messages
from app.messaging.models import Message, TemplateVersion
from app.messaging.providers.protocol import Content, OutgoingBatch
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.render import MASK, fill
from app.messaging.versions import current_version, shared_parts
from tests.support.constants import NOW
from tests.support.factories.messages import GRACE, queue, the_message
from tests.support.fakes.scripted import Scripted, both, lose


async def shown(context: AppContext, brand: Brand) -> AsSent:
    async with context.sessions() as session:
        return await as_sent(session, context, brand.id, (await the_message(context)).id)


async def version_count(context: AppContext) -> int:
    async with context.sessions() as session:
        return await session.scalar(select(func.count()).select_from(TemplateVersion)) or 0


async def queue_again(context: AppContext, brand: Brand, messages: list[NewMessage]) -> None:
    """The same people get another survey each."""
    async with context.sessions.begin() as session:
        await queue_messages(session, brand.id, [replace(each, subject_id=new_id()) for each in messages])


def change_files(monkeypatch: pytest.MonkeyPatch, folder: Path, subject: str) -> None:
    """Another release: the survey's mail is another one on disk."""
    mail = folder / "emails" / "survey"
    mail.mkdir(parents=True, exist_ok=True)
    for name, source in {"subject.txt": subject, "body.txt": "New", "body.html": "<p>New</p>"}.items():
        (mail / name).write_text(source)
    monkeypatch.setattr(versions, "FOLDER", folder)
    current_version.cache_clear()
    shared_parts.cache_clear()


@pytest.fixture(autouse=True)
def _no_version_of_changed_files_is_left() -> object:
    yield
    current_version.cache_clear()
    shared_parts.cache_clear()


def received(batch: OutgoingBatch) -> Content:
    (recipient,) = batch.recipients
    return fill(batch.content, recipient.values)


async def test_a_message_is_shown_as_sent_after_files_and_brand_have_changed(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await queue(context, brand, shop)
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    sent = received(provider.calls[0])
    change_files(monkeypatch, tmp_path, "Another subject")
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name="Renamed", branding={"accent": "#000000"}))
    page = await shown(context, brand)
    assert page.subject == sent.subject == "One question about your order from Acme"
    token = sent.text.split("/s/")[1].split("?")[0]
    unsubscribe = sent.text.rsplit("/u/", 1)[1].strip()
    for before, after in ((sent.text, page.text), (sent.html, page.html)):
        assert after == before.replace(token, MASK).replace(unsubscribe, MASK)
        assert "Acme Goods" in after


async def test_a_later_attempt_is_shown_with_its_own_version(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await queue(context, brand, shop)
    provider = Scripted([lose])
    each = both(context, provider)
    await sweep_once(each, NOW)
    change_files(monkeypatch, tmp_path, "Another subject")
    await sweep_once(each, NOW + GRACE)
    assert (await shown(context, brand)).subject == received(provider.calls[1]).subject == "Another subject"
    assert await version_count(context) == 2


async def test_a_version_is_stored_once_whoever_sends_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    one, other = both(context, Scripted(most=10)), both(context, Scripted(most=10))
    wanted = await queue(context, brand, shop, 5)
    for each in (one, one, other):
        assert await sweep_once(each, NOW) == 5
        await queue_again(context, brand, wanted)
    assert await version_count(context) == 1


async def test_a_sender_stores_a_version_again_that_is_gone(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    each = both(context, Scripted())
    wanted = await queue(context, brand, shop)
    await sweep_once(each, NOW)
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(template_version_id=None))
        await session.execute(delete(TemplateVersion))
    await queue_again(context, brand, wanted)
    assert await sweep_once(each, NOW) == 1
    assert await version_count(context) == 1


async def test_a_message_that_was_not_tried_yet_is_shown_as_it_would_be_sent(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    page = await shown(context, brand)
    assert page.subject == "One question about your order from Acme"
    assert f"/s/{MASK}?score=10" in (page.text or "")
    assert await version_count(context) == 0


async def test_nothing_is_shown_after_an_erasure(context: AppContext, brand: Brand, shop: Shop) -> None:
    (wanted,) = await queue(context, brand, shop)
    await sweep_once(both(context, Scripted()), NOW)
    async with context.sessions.begin() as session:
        await erase_messages(session, brand.id, [wanted.customer_id])
    assert await shown(context, brand) == AsSent(subject=None, html=None, text=None)


async def test_another_brands_message_is_not_found(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop)
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        await add_shop(session, context.tokens, other, "other", name="Other", actor=cli_actor(other.id))
    message = await the_message(context)
    async with context.sessions() as session:
        with pytest.raises(NotFound):
            await as_sent(session, context, other.id, message.id)
