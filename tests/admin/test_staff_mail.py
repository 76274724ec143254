"""Mail to staff: who may read it, and what a restored database knows of it."""

from datetime import timedelta

from sqlalchemy import select

from app.admin.rules import Role
from app.admin.staff_mail import invite
from app.admin.templates import INVITATION
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import new_id
from app.brands.rules import AddressForm
from app.messaging.journal import JournaledSend
from app.messaging.models import Message
from app.messaging.recover import restore_sends
from app.messaging.rules import MessageStatus
from tests.support.constants import NOW
from tests.support.staff import mails_to


async def test_an_invitation_in_the_journal_is_not_mailed_again_after_a_restore(session, brand, shop):
    """A message to staff has no customer, there as in its row."""
    ids = [str(new_id()) for _ in range(3)]
    row = [ids[0], 1, "smtp", NOW, ids[1], None, shop.id, INVITATION.name, ids[2], 0, "email", "urgent", "en"]
    send = JournaledSend.read(row)
    assert send.customer_id is None
    restored = await restore_sends(session, brand.id, [send], {})
    assert (restored.sent, restored.unknown_here) == (1, 0)
    message = (await session.scalars(select(Message))).one()
    assert (message.customer_id, message.status) == (None, MessageStatus.accepted)


async def test_an_invitation_is_in_the_language_of_the_shop_and_form_of_the_brand(
    context, session, brand, shop
):
    shop.locale = "de"
    brand.address_form = AddressForm.informal
    session.add_all([shop, brand])
    await session.commit()
    for address, words in (("zoe@example.com", "Deine Einladung"), ("eve@example.com", "Ihre Einladung")):
        async with context.sessions.begin() as other:
            await invite(other, brand.id, address, Role.viewer, actor=cli_actor(brand.id), now=clock.now())
        (mail,) = await mails_to(context, address)
        assert words in mail.subject
        assert "Einladung annehmen" in mail.text
        day = (clock.now() + timedelta(days=7)).day
        assert f"{day}. " in mail.text
        brand.address_form = AddressForm.formal
        session.add(brand)
        await session.commit()
