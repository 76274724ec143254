"""The adapter of mail servers against a real one over real connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from email.headerregistry import Address
from urllib.parse import quote
from uuid import uuid4

import pytest
import trustme

from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import Fault, Outcome, OutsideError
from app.base.mail_server import parse_mail_server
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppressions_of
from app.messaging.compose import sender_of
from app.messaging.providers.protocol import Accepted, Content, OutgoingBatch, Recipient
from app.messaging.providers.smtp.client import Smtp
from app.messaging.providers.smtp.connections import Reach
from app.messaging.rules import FailureCause, MessageStatus, RecipientRefused
from app.messaging.send_sweeps import sweep
from tests.support.constants import NOW
from tests.support.factories.messages import messages, queue, the_message
from tests.support.fakes.mail_server import PASSWORD, USER, FakeMailServer, MailFault
from tests.support.fakes.scripted import Scripted

CONTENT = Content(
    subject="Hello -t7s-name-", text="Dear -t7t-name-\n.\nRate: -t7t-link-", html="<p>Dear -t7h-name-</p>"
)


def recipient(number: int = 1, *, name: str = "Ana") -> Recipient:
    values = {
        "-t7s-name-": name,
        "-t7t-name-": name,
        "-t7h-name-": name.replace("<", "&lt;"),
        "-t7t-link-": f"https://x.example/s/{number}",
    }
    link = f"https://nps.a-very-long-name-of-a-shop.example/u/{'AbC0' * 16}{number}"
    one_click = {
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return Recipient(uuid4(), f"person{number}@example.com", values, one_click)


def batch(*recipients: Recipient, sender_name: str = "Blüte & Söhne, Ltd.") -> OutgoingBatch:
    return OutgoingBatch(7, Channel.email, "survey", "hi@acme.example", sender_name, CONTENT, recipients)


@pytest.fixture
async def server() -> AsyncIterator[FakeMailServer]:
    async with FakeMailServer() as fake:
        yield fake


Make = Callable[..., Smtp]


@pytest.fixture
async def make(server: FakeMailServer) -> AsyncIterator[Make]:
    made: list[Smtp] = []

    def make_provider(url: str = "", **options: object) -> Smtp:
        address = parse_mail_server(url or f"smtp://127.0.0.1:{server.port}")
        made.append(Smtp(address, host_name="nps.example", **options))  # type: ignore[arg-type]
        return made[-1]

    yield make_provider
    for each in made:
        await each.close()


def refusal(result: object) -> OutsideError:
    assert isinstance(result, OutsideError)
    assert "@" not in result.reason
    return result


async def test_each_gets_their_own_mail_as_a_mailbox_reads_it(server: FakeMailServer, make: Make) -> None:
    first, second = recipient(1), recipient(2, name="Zoé <b> 🌸")
    results = await make().send(batch(first, second))
    assert all(isinstance(result, Accepted) for result in results)
    by_address = dict(zip((address for address, _ in server.taken), server.mails, strict=True))
    mail = by_address[second.to]
    assert mail["From"].addresses == (Address("Blüte & Söhne, Ltd.", "hi", "acme.example"),)
    assert (str(mail["To"]), mail["Subject"]) == (second.to, "Hello Zoé <b> 🌸")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r", "") == "Dear Zoé <b> 🌸\n.\nRate: https://x.example/s/2\n"
    assert html.get_content().replace("\r", "") == "<p>Dear Zoé &lt;b> 🌸</p>\n"
    assert mail["Message-ID"] == f"<{second.attempt_id.hex}@acme.example>"
    assert results[1] == Accepted(mail["Message-ID"])
    assert mail["Date"].datetime.tzinfo is not None


async def test_long_links_stay_whole_and_lines_are_seven_bit(server: FakeMailServer, make: Make) -> None:
    one = recipient(1, name="Zoé" * 30)
    await make().send(batch(one))
    ((_, raw),) = server.taken
    assert f"List-Unsubscribe: {one.headers['List-Unsubscribe']}\r\n".encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n") if not line.startswith(b"List-Unsub")) <= 78


async def test_connections_are_used_again_and_bounded(server: FakeMailServer, make: Make) -> None:
    provider = make(connections=3)
    for _ in range(3):
        results = await provider.send(batch(*(recipient(number) for number in range(20))))
        assert all(isinstance(result, Accepted) for result in results)
    assert (len(server.taken), server.opened) == (60, 3)


@pytest.mark.parametrize(
    ("reply", "permanent", "fault"),
    [
        ("450 4.2.0 Greylisted, <person1@example.com> try later", False, Fault.request),
        ("550 5.7.1 Relaying denied for person1@example.com", True, Fault.request),
        ("421 4.3.2 shutting down", False, Fault.outage),
        ("530 5.7.0 SMTP authentication is required.", False, Fault.access),
    ],
)
async def test_a_refused_recipient_alone_is_refused(
    server: FakeMailServer, make: Make, reply: str, permanent: bool, fault: Fault
) -> None:
    provider = make(connections=1)
    server.replies.recipient.extend([reply, None])
    results = await provider.send(batch(recipient(1), recipient(2)))
    first = refusal(results[0])
    assert (first.outcome, first.permanent, first.fault) == (Outcome.refused, permanent, fault)
    assert first.reason.startswith(f"SMTP {reply[:9]}")
    assert isinstance(results[1], Accepted)


@pytest.mark.parametrize("fault", [MailFault.lost_at_reset, MailFault.refused_reset])
async def test_a_refused_recipient_stays_refused_where_the_connection_cannot_go_on(
    server: FakeMailServer, make: Make, fault: MailFault
) -> None:
    provider = make(connections=1)
    server.replies.recipient.append("550 5.1.1 user unknown")
    server.replies.faults.append(fault)
    results = await provider.send(batch(recipient(1), recipient(2)))
    assert isinstance(results[0], RecipientRefused)
    assert isinstance(results[1], Accepted)
    assert (len(server.taken), server.opened) == (1, 2)


async def test_an_address_that_does_not_exist_is_told_apart(server: FakeMailServer, make: Make) -> None:
    server.replies.recipient.append("550 5.1.1 <person1@example.com>: user unknown")
    (result,) = await make().send(batch(recipient()))
    assert isinstance(result, RecipientRefused)
    assert result.cause is FailureCause.invalid_address


@pytest.mark.parametrize(
    ("reply", "outcome", "permanent", "fault"),
    [
        ("553 5.7.1 not your address", Outcome.refused, False, Fault.request),
        ("451 4.7.1 too many mails", Outcome.refused, False, Fault.busy),
        ("530 5.7.0 Authentication required", Outcome.refused, False, Fault.access),
    ],
)
async def test_a_refused_sender_fails_no_message(
    server: FakeMailServer, make: Make, reply: str, outcome: Outcome, permanent: bool, fault: Fault
) -> None:
    server.replies.sender.append(reply)
    result = refusal((await make().send(batch(recipient())))[0])
    assert (result.outcome, result.permanent, result.fault) == (outcome, permanent, fault)


async def test_a_sender_of_an_international_domain_is_encoded_and_none_at_all_is_refused(
    context: AppContext, server: FakeMailServer, make: Make
) -> None:
    provider = make()
    umlaut = sender_of(Brand(slug="acme", name="Acme", email_from="hallo@grün.example"), context.settings)[1]
    await provider.send(replace(batch(recipient()), sender=umlaut))
    assert str(server.mails[0]["From"].addresses[0].addr_spec) == "hallo@xn--grn-ioa.example"
    for sender in ("acme.example", "jörg@acme.example"):
        result = refusal((await provider.send(replace(batch(recipient()), sender=sender)))[0])
        assert (result.outcome, result.permanent) == (Outcome.refused, False)
        assert await provider.check(sender) is not None
    assert (len(server.taken), server.opened) == (1, 1)


@pytest.mark.parametrize(
    ("reply", "permanent"), [("554 5.6.0 no", True), ("452 4.3.1 disk", False), ("530 5.7.57 sign in", False)]
)
async def test_refused_content_was_not_taken(
    server: FakeMailServer, make: Make, reply: str, permanent: bool
) -> None:
    server.replies.content.append(reply)
    result = refusal((await make().send(batch(recipient())))[0])
    assert (result.outcome, result.permanent, server.taken) == (Outcome.refused, permanent, [])


@pytest.mark.parametrize("fault", [MailFault.lost_at_sender, MailFault.lost_at_recipient])
async def test_a_connection_lost_before_the_mail_sent_nothing(
    server: FakeMailServer, make: Make, fault: MailFault
) -> None:
    provider = make(connections=1)
    server.replies.faults.append(fault)
    result = refusal((await provider.send(batch(recipient())))[0])
    assert (result.outcome, result.fault) == (Outcome.refused, Fault.outage)
    assert isinstance((await provider.send(batch(recipient())))[0], Accepted)
    # On a connection that was used before, the server may have closed it meanwhile: once more.
    server.replies.faults.append(fault)
    assert isinstance((await provider.send(batch(recipient())))[0], Accepted)
    assert len(server.taken) == 2


@pytest.mark.parametrize("fault", [MailFault.lost_after, MailFault.hang_after])
async def test_after_the_mail_it_is_unknown_whether_it_was_taken(
    server: FakeMailServer, make: Make, fault: MailFault
) -> None:
    server.replies.faults.append(fault)
    result = refusal((await make(mail_seconds=0.3).send(batch(recipient())))[0])
    assert (result.outcome, result.fault, len(server.taken)) == (Outcome.unknown, Fault.outage, 1)


async def test_a_slow_server_gets_the_rest_later(server: FakeMailServer, make: Make) -> None:
    server.seconds = 0.2
    results = await make(connections=1, begin_seconds=0.5).send(batch(*map(recipient, range(6))))
    accepted = [result for result in results if isinstance(result, Accepted)]
    assert 0 < len(accepted) == len(server.taken) < 6
    for result in results[len(accepted) :]:
        later = refusal(result)
        assert (later.outcome, later.fault) == (Outcome.refused, Fault.busy)


async def test_no_server_is_an_outage(make: Make) -> None:
    result = refusal((await make("smtp://127.0.0.1:1").send(batch(recipient())))[0])
    assert (result.outcome, result.fault, result.permanent) == (Outcome.refused, Fault.outage, False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(authority: trustme.CA, host: str = "127.0.0.1") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server with a certificate for `host`, and of a client that trusts its authority."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    return theirs, ours


CREDENTIALS = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"


async def test_it_signs_in_over_tls_from_the_first_byte(make: Make, authority: trustme.CA) -> None:
    theirs, ours = contexts(authority)
    async with FakeMailServer(tls=theirs, signs_in=True) as server:
        provider = make(f"smtps://{CREDENTIALS}@127.0.0.1:{server.port}", tls=ours)
        assert isinstance((await provider.send(batch(recipient())))[0], Accepted)
        wrong = make(f"smtps://{CREDENTIALS}x@127.0.0.1:{server.port}", tls=ours)
        result = refusal((await wrong.send(batch(recipient())))[0])
        assert (result.fault, result.permanent) == (Fault.access, False)
        assert "not accepted" in result.reason
        assert "not accepted" in refusal(await wrong.check("hi@acme.example")).reason
        await provider.close()


async def test_it_upgrades_and_signs_in(make: Make, authority: trustme.CA) -> None:
    theirs, ours = contexts(authority)
    async with FakeMailServer(upgrade=theirs, signs_in=True) as server:
        provider = make(f"smtp://{CREDENTIALS}@127.0.0.1:{server.port}", tls=ours)
        assert await provider.check("hi@acme.example") is None
        server.replies.sender.append("553 5.7.1 not your address")
        assert "the sender was refused" in refusal(await provider.check("hi@acme.example")).reason
        assert server.taken == []
        assert isinstance((await provider.send(batch(recipient())))[0], Accepted)
        await provider.close()


async def test_a_foreign_certificate_is_refused(make: Make, authority: trustme.CA) -> None:
    theirs, _ = contexts(authority)
    async with FakeMailServer(tls=theirs) as server:
        result = refusal((await make(f"smtps://127.0.0.1:{server.port}").send(batch(recipient())))[0])
        assert (result.fault, server.taken) == (Fault.access, [])
        assert "certificate" in result.reason


async def test_elsewhere_nothing_is_sent_without_encryption(
    server: FakeMailServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name of this machine's network that is not its loopback interface by the rules.
    monkeypatch.setattr("app.base.mail_server.MailServer.is_local", property(lambda _self: False))
    result = refusal((await make().send(batch(recipient())))[0])
    assert (result.fault, server.taken) == (Fault.access, [])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254"]
)
async def test_a_server_that_a_brand_names_is_none_of_our_own_network(make: Make, host: str) -> None:
    async with FakeMailServer() as server:
        provider = make(f"smtps://{CREDENTIALS}@{host}:{server.port}", reach=Reach.public)
        result = refusal(await provider.check("hi@acme.example"))
        assert (result.fault, "not a public one" in result.reason) == (Fault.access, True)
        assert server.opened == 0


async def test_a_server_that_a_brand_names_is_reached_over_tls_with_its_certificate_checked(
    make: Make, authority: trustme.CA
) -> None:
    theirs, ours = contexts(authority, "localhost")
    async with FakeMailServer(tls=theirs, signs_in=True) as server:
        url = f"smtps://{CREDENTIALS}@localhost:{server.port}"
        provider = make(url, tls=ours, reach=Reach.public_and_local)
        assert isinstance((await provider.send(batch(recipient())))[0], Accepted)
        other = make(url.replace("localhost", "127.0.0.1"), tls=ours, reach=Reach.public_and_local)
        assert "certificate" in refusal(await other.check("hi@acme.example")).reason
        await provider.close()
    unknown = make(f"smtps://{CREDENTIALS}@mail.invalid", reach=Reach.public)
    assert refusal(await unknown.check("hi@acme.example")).outcome is Outcome.refused


async def test_idle_connections_are_closed_in_time(
    server: FakeMailServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.messaging.providers.smtp.connections.IDLE_SECONDS", 0.02)
    provider = make()
    await provider.send(batch(recipient()))
    async with asyncio.timeout(5):
        assert await server.none_open.wait(), "waits until the server has no connection"


async def test_a_cancelled_send_leaves_no_connection_in_the_middle_of_a_mail(
    server: FakeMailServer, make: Make
) -> None:
    provider = make(connections=1)
    server.seconds = 5
    sending = asyncio.create_task(provider.send(batch(recipient())))
    await server.got_mail.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    server.seconds = 0
    assert isinstance((await provider.send(batch(recipient(2))))[0], Accepted)
    assert [address for address, _ in server.taken] == ["person2@example.com"]


async def test_messages_go_out_and_an_unknown_mailbox_is_suppressed(
    context: AppContext, brand: Brand, shop: Shop, server: FakeMailServer, make: Make
) -> None:
    await queue(context, brand, shop, 3)
    server.replies.recipient.append("550 5.1.1 no such user")
    provider = make(connections=1)
    each = sweep(context, {Channel.email: provider, Channel.sms: Scripted()})
    await sweep_once(each, NOW)
    found = {message.status: message for message in await messages(context)}
    assert set(found) == {MessageStatus.accepted, MessageStatus.failed}
    failed = found[MessageStatus.failed]
    assert failed.reason == "invalid_address"
    gone = {f"person{number}@example.com" for number in range(3)} - {address for address, _ in server.taken}
    async with context.sessions() as session:
        (suppression,) = await suppressions_of(session, context.tokens, brand.id, gone.pop(), None)
    assert suppression.reason == "bounced"
    assert len(server.taken) == 2


async def test_a_lost_reply_waits_for_the_grace_and_is_sent_once_more(
    context: AppContext, brand: Brand, shop: Shop, server: FakeMailServer, make: Make
) -> None:
    await queue(context, brand, shop)
    server.replies.faults.append(MailFault.lost_after)
    each = sweep(context, {Channel.email: make(), Channel.sms: Scripted()})
    await sweep_once(each, NOW)
    assert (await the_message(context)).status == MessageStatus.unknown
    await sweep_once(each, NOW.replace(hour=NOW.hour + 1))
    assert (await the_message(context)).status == MessageStatus.accepted
    assert len({mail["Message-ID"] for mail in server.mails}) == len(server.taken) == 2


@pytest.mark.parametrize(
    ("url", "host", "port", "at_once", "user"),
    [
        ("smtps://a%40b:p%2Fw@mail.example", "mail.example", 465, True, "a@b"),
        ("smtp://mail.example", "mail.example", 587, False, None),
        ("smtp://u:p@[::1]:25/", "::1", 25, False, "u"),
    ],
)
def test_the_address_of_a_mail_server(
    url: str, host: str, port: int, at_once: bool, user: str | None
) -> None:
    server = parse_mail_server(url)
    assert (server.host, server.port, server.encrypted_at_once, server.user) == (host, port, at_once, user)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:465",
        "smtps://u:p@mail..example",
        "https://mail.example",
        "smtp://",
        "smtp://mail.example:0",
        "smtp://mail.example:99999",
        "smtp://secretword@mail.example",
        "smtp://u:secretword@mail.example/path",
        "smtps://u:secretword@mail.example?x=1",
    ],
)
def test_what_is_no_mail_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="must ") as refused:
        parse_mail_server(url)
    assert "secretword" not in str(refused.value)
    assert "secretword" not in repr(parse_mail_server("smtp://u:secretword@mail.example"))
