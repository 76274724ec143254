"""Staff who sign in: by links that are shown, by mailed ones, by passwords and codes."""

import re

import pyotp
from sqlalchemy import select

from app.admin.links import make_login_link
from app.admin.models import Staff
from app.admin.rules import Role
from app.admin.staff import add_staff, set_password
from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.models import OutboxItem
from app.messaging.providers.outbox.client import Outbox
from app.messaging.send_sweeps import urgent_sweep

PASSWORD = "a long password"


async def link_for(
    context, brand: Brand, role=Role.admin, email="mia@example.com", shops=None, **said
) -> str:
    """The path of a link that signs a person in, who is added first."""
    async with context.sessions.begin() as session:
        await add_staff(session, brand.id, email, role, actor=cli_actor(brand.id), shops=shops)
        when = {"now": clock.now()} | said
        url = await make_login_link(session, context, email, brand_id=brand.id, **when)
    return url.removeprefix(context.settings.public_url)


async def add_with_password(context, brand, password=PASSWORD, email="mia@example.com", role=Role.admin):
    """Add a person who signs in by a password; returns their id."""
    actor = cli_actor(brand.id)
    async with context.sessions.begin() as session:
        person = await add_staff(session, brand.id, email, role, actor=actor)
        await set_password(session, brand.id, person, password, actor=actor)
    return person


async def mails_to(context: AppContext, address: str) -> list[OutboxItem]:
    """Send what waits, and return the mails to an address, the latest first."""
    provider = Outbox(context)
    await sweep_once(urgent_sweep(context, dict.fromkeys(Channel, provider)), clock.now())
    async with context.sessions() as session:
        found = select(OutboxItem).where(OutboxItem.to == address)
        return list(await session.scalars(found.order_by(OutboxItem.id.desc())))


async def mailed_link(context: AppContext, address: str) -> str:
    """The path of the link in the latest mail to an address."""
    mails = await mails_to(context, address)
    assert mails, f"no mail came to {address}"
    found = re.search(r"/admin/login/[\w-]+", mails[0].text)
    assert found
    return found.group()


async def code_of(context: AppContext, email: str) -> str:
    """The code that this person's authenticator shows now."""
    async with context.sessions() as session:
        sealed = await session.scalar(select(Staff.sealed_totp).where(Staff.email == email))
    return pyotp.TOTP(context.tokens.open(sealed)).at(clock.now())
