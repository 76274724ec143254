"""The SendGrid adapter against a strict double over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.base.errors import Outcome, OutsideError
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.providers.protocol import Accepted, Content, OutgoingBatch, Recipient
from app.messaging.providers.sendgrid.client import SendGrid
from tests.support.constants import SECRET_KEY
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.server import Call, Fault

TOKENS = Tokens(SECRET_KEY)
CONTENT = Content(
    subject="Hello -t7s-name-", text="Dear -t7t-name-, rate: -t7t-link-", html="<p>Dear -t7h-name-</p>"
)


def recipient(number: int = 1, *, name: str = "Ana", **more: str) -> Recipient:
    values = {
        "-t7s-name-": name,
        "-t7t-name-": name,
        "-t7h-name-": name.replace("<", "&lt;"),
        "-t7t-link-": f"https://x.example/s/{number}",
        **more,
    }
    one_click = {
        "List-Unsubscribe": f"<https://x.example/u/{number}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return Recipient(uuid4(), f"person{number}@example.com", values, one_click)


def batch(*recipients: Recipient, content: Content = CONTENT) -> OutgoingBatch:
    return OutgoingBatch(7, Channel.email, "survey", "hi@acme.example", "Acme", content, recipients)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSendGrid]:
    async with FakeSendGrid() as server:
        yield server
        assert server.spec_faults() == []


@pytest.fixture
async def provider(fake: FakeSendGrid) -> AsyncIterator[SendGrid]:
    provider = SendGrid(TOKENS, api_key=KEY, base_url=fake.url, total_seconds=2)
    yield provider
    await provider.close()


def refusal(result: object) -> OutsideError:
    assert isinstance(result, OutsideError)
    assert "@" not in result.reason
    assert KEY not in result.reason
    return result


async def test_one_call_carries_each_their_own_mail(fake: FakeSendGrid, provider: SendGrid) -> None:
    recipients = [recipient(1), recipient(2, name="Bo <b>")]
    results = await provider.send(batch(*recipients))
    assert len(fake.calls) == 1
    assert results == [Accepted(fake.mail[0].message_id)] * 2
    second = fake.mail[1]
    assert (second.to, second.sender, second.subject) == (
        "person2@example.com",
        "hi@acme.example",
        "Hello Bo <b>",
    )
    assert second.text == "Dear Bo <b>, rate: https://x.example/s/2"
    assert second.html == "<p>Dear Bo &lt;b></p>"
    assert second.headers["List-Unsubscribe"] == "<https://x.example/u/2>"


async def test_only_an_opaque_attempt_token_goes_along(fake: FakeSendGrid, provider: SendGrid) -> None:
    one = recipient()
    await provider.send(batch(one))
    assert fake.mail[0].arguments == {"tenfold_attempt": TOKENS.link("attempt", 7, one.attempt_id)}


async def test_nothing_is_tracked_or_rewritten(fake: FakeSendGrid, provider: SendGrid) -> None:
    await provider.send(batch(recipient()))
    settings = json.loads(fake.calls[0].body)["tracking_settings"]
    assert [
        settings[name]["enable"] for name in ("click_tracking", "open_tracking", "subscription_tracking")
    ] == [False] * 3


async def test_a_thousand_go_in_one_call_and_the_next_in_another(
    fake: FakeSendGrid, provider: SendGrid
) -> None:
    results = await provider.send(batch(*(recipient(number) for number in range(1001))))
    assert sorted(len(json.loads(call.body)["personalizations"]) for call in fake.calls) == [1, 1000]
    assert all(isinstance(result, Accepted) for result in results)
    assert len({mail.to for mail in fake.mail}) == 1001


async def test_an_address_twice_goes_in_two_calls(fake: FakeSendGrid, provider: SendGrid) -> None:
    same = recipient(5)
    results = await provider.send(
        batch(recipient(5), recipient(6), Recipient(uuid4(), same.to.upper(), same.values))
    )
    assert len(fake.calls) == 2
    assert all(isinstance(result, Accepted) for result in results)


@pytest.mark.parametrize("size", [9_000, 10_000, 11_000, 40_000])
async def test_long_values_are_filled_in_by_us(fake: FakeSendGrid, provider: SendGrid, size: int) -> None:
    long = recipient(2, **{"-t7t-long-": "ä" * (size // 2)})
    content = Content(subject=CONTENT.subject, text="-t7t-name-: -t7t-long-", html=CONTENT.html)
    results = await provider.send(batch(recipient(1, **{"-t7t-long-": "short"}), long, content=content))
    assert results[1] == Accepted(next(mail.message_id for mail in fake.mail if mail.to == long.to))
    assert {mail.to: mail.text for mail in fake.mail}[long.to] == "Ana: " + "ä" * (size // 2)
    assert len(fake.calls) == (1 if size == 9_000 else 2)


async def test_a_long_value_in_the_form_of_a_tag_is_not_substituted(
    fake: FakeSendGrid, provider: SendGrid
) -> None:
    long = recipient(1, name="-t7t-link-", **{"-t7t-long-": "x" * 20_000})
    await provider.send(batch(long))
    assert fake.mail[0].text == "Dear -t7t-link-, rate: https://x.example/s/1"


async def test_a_call_stays_below_the_size_limit(
    fake: FakeSendGrid, provider: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.messaging.providers.sendgrid.client.CALL_BYTES", 20_000)
    results = await provider.send(batch(*(recipient(number) for number in range(100))))
    assert len(fake.calls) > 1
    assert max(len(call.body) for call in fake.calls) < 22_000
    assert all(isinstance(result, Accepted) for result in results)


async def test_no_messages_no_call(fake: FakeSendGrid, provider: SendGrid) -> None:
    assert await provider.send(batch()) == []
    assert fake.calls == []


async def test_connections_are_reused(fake: FakeSendGrid, provider: SendGrid) -> None:
    for number in range(5):
        await provider.send(batch(recipient(number)))
    assert len(provider._session.connector._conns) == 1


async def test_a_bad_request_is_permanent_and_names_the_field_alone(
    fake: FakeSendGrid, provider: SendGrid
) -> None:
    fake.fail(Fault.refused)
    results = [refusal(result) for result in await provider.send(batch(recipient(1), recipient(2)))]
    assert {(error.outcome, error.permanent) for error in results} == {(Outcome.refused, True)}
    assert results[0].reason == "SendGrid 400: personalizations.0.to.0.email"


async def test_an_address_that_is_none_is_refused_for_good(fake: FakeSendGrid, provider: SendGrid) -> None:
    error = refusal((await provider.send(batch(Recipient(uuid4(), "nobody", recipient().values))))[0])
    assert (error.outcome, error.permanent) == (Outcome.refused, True)
    assert len(fake.spec_faults()) == 1, "the vendor's own document finds it too"
    fake.calls.clear()


async def test_too_many_requests_carries_the_time_to_wait(fake: FakeSendGrid, provider: SendGrid) -> None:
    fake.fail(Fault.too_many)
    error = refusal((await provider.send(batch(recipient())))[0])
    assert (error.outcome, error.permanent) == (Outcome.refused, False)
    assert error.retry_after is not None
    assert 1 <= error.retry_after <= 8


@pytest.mark.parametrize("fault", [Fault.unauthorised, Fault.redirect])
async def test_a_wrong_key_or_base_url_is_refused_for_now_only(
    fake: FakeSendGrid, provider: SendGrid, fault: Fault
) -> None:
    fake.fail(fault)
    error = refusal((await provider.send(batch(recipient())))[0])
    assert (error.outcome, error.permanent) == (Outcome.refused, False)
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    "fault", [Fault.broken, Fault.broken_after, Fault.hang_after, Fault.reset_after, Fault.reset]
)
async def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    fake: FakeSendGrid, provider: SendGrid, fault: Fault
) -> None:
    fake.fail(fault)
    error = refusal((await provider.send(batch(recipient())))[0])
    assert (error.outcome, error.permanent) == (Outcome.unknown, False)
    assert len(fake.calls) == 1


async def test_no_connection_means_not_sent() -> None:
    provider = SendGrid(TOKENS, api_key=KEY, base_url="http://127.0.0.1:1", total_seconds=2)
    error = refusal((await provider.send(batch(recipient())))[0])
    await provider.close()
    assert (error.outcome, error.permanent) == (Outcome.refused, False)


async def test_a_host_that_is_none_means_not_sent() -> None:
    provider = SendGrid(TOKENS, api_key=KEY, base_url="http://no-such-host.invalid", total_seconds=5)
    error = refusal((await provider.send(batch(recipient())))[0])
    await provider.close()
    assert error.outcome is Outcome.refused


async def test_a_cancelled_send_is_cancelled(fake: FakeSendGrid, provider: SendGrid) -> None:
    fake.fail(Fault.hang_after)
    sending = asyncio.create_task(provider.send(batch(recipient())))
    await asyncio.sleep(0.2)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(fake.mail) == 1


async def test_the_vendors_specification_finds_what_is_wrong(fake: FakeSendGrid, provider: SendGrid) -> None:
    await provider.send(batch(recipient()))
    good = fake.calls.pop()
    body = json.loads(good.body)
    for field, wrong in (("from", None), ("personalizations", [{}]), ("content", "text")):
        spoilt = json.dumps({**body, field: wrong}).encode()
        fake.calls.append(Call(good.path, good.headers, spoilt))
        assert fake.spec_faults() != [], field
        fake.calls.clear()
