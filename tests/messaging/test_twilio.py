"""The Twilio adapter against a strict double over real HTTP."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from app.base.errors import Outcome, OutsideError
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.providers.protocol import Accepted, Content, OutgoingBatch, Recipient
from app.messaging.providers.twilio.client import Twilio
from tests.support.constants import SECRET_KEY
from tests.support.fakes.server import Fault
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio

TOKENS = Tokens(SECRET_KEY)
CONTENT = Content(text="-t7-name-, how was it? -t7-link- Reply STOP to opt out")


def recipient(number: int = 1, *, to: str | None = None, name: str = "Ana ✓") -> Recipient:
    return Recipient(
        uuid4(),
        to or f"+1555867{number:04d}",
        {"-t7-name-": name, "-t7-link-": f"https://x.example/s/{number}"},
    )


def batch(*recipients: Recipient) -> OutgoingBatch:
    return OutgoingBatch(7, Channel.sms, "survey", "", "", CONTENT, recipients)


def make(url: str, *, token: str = AUTH_TOKEN) -> Twilio:
    return Twilio(
        TOKENS,
        account_sid=ACCOUNT,
        auth_token=token,
        messaging_service_sid=SERVICE,
        public_url="https://nps.example.com",
        base_url=url,
        total_seconds=2,
    )


@pytest.fixture
async def fake() -> AsyncIterator[FakeTwilio]:
    async with FakeTwilio() as server:
        yield server
        assert server.spec_faults() == []


@pytest.fixture
async def provider(fake: FakeTwilio) -> AsyncIterator[Twilio]:
    provider = make(fake.url)
    yield provider
    await provider.close()


async def failed(provider: Twilio, one: Recipient) -> OutsideError:
    result = (await provider.send(batch(one)))[0]
    assert isinstance(result, OutsideError)
    assert "+1" not in result.reason
    assert ACCOUNT not in result.reason
    return result


async def test_each_message_is_a_text_of_its_own(fake: FakeTwilio, provider: Twilio) -> None:
    recipients = [recipient(1), recipient(2, name="Bo & Co +1")]
    results = await provider.send(batch(*recipients))
    by_number = {text.to: text for text in fake.texts}
    assert results == [Accepted(by_number[one.to].sid) for one in recipients]
    assert (
        by_number[recipients[1].to].body
        == "Bo & Co +1, how was it? https://x.example/s/2 Reply STOP to opt out"
    )


async def test_the_callback_path_names_the_attempt(fake: FakeTwilio, provider: Twilio) -> None:
    one = recipient()
    await provider.send(batch(one))
    token = TOKENS.link("attempt", 7, one.attempt_id)
    assert fake.texts[0].callback == f"https://nps.example.com/hooks/twilio/status/{token}"


async def test_a_text_expires_before_quiet_hours(fake: FakeTwilio, provider: Twilio) -> None:
    await provider.send(batch(recipient()))
    assert parse_qs(fake.calls[0].body.decode())["ValidityPeriod"] == ["3600"]


async def test_some_calls_are_open_at_once_but_not_all(fake: FakeTwilio, provider: Twilio) -> None:
    fake.seconds = 0.02
    results = await provider.send(batch(*(recipient(number) for number in range(100))))
    assert all(isinstance(result, Accepted) for result in results)
    assert len({text.sid for text in fake.texts}) == 100
    assert 1 < fake.most_open <= 32


async def test_a_recipient_who_opted_out_is_named_as_the_cause(fake: FakeTwilio, provider: Twilio) -> None:
    fake.stopped.add("+15558670001")
    results = await provider.send(batch(recipient(1), recipient(2)))
    error = results[0]
    assert isinstance(error, OutsideError)
    assert (error.outcome, error.reason, error.permanent) == (Outcome.refused, "recipient_opted_out", True)
    assert isinstance(results[1], Accepted)


@pytest.mark.parametrize("to", ["+15005550001", "+15005550009", "not a number"])
async def test_a_number_that_is_none_is_refused_for_good(provider: Twilio, to: str) -> None:
    error = await failed(provider, recipient(to=to))
    assert (error.outcome, error.permanent) == (Outcome.refused, True)
    assert error.reason in ("Twilio error 21211", "Twilio error 21614")


async def test_too_many_requests_are_tried_later(fake: FakeTwilio, provider: Twilio) -> None:
    fake.fail(Fault.too_many)
    error = await failed(provider, recipient())
    assert (error.outcome, error.permanent) == (Outcome.refused, False)
    assert error.retry_after == 30
    assert len(fake.calls) == 1


async def test_wrong_credentials_are_refused_for_now_only(fake: FakeTwilio) -> None:
    provider = make(fake.url, token="wrong")
    error = await failed(provider, recipient())
    await provider.close()
    assert (error.outcome, error.permanent) == (Outcome.refused, False)


@pytest.mark.parametrize(
    "fault",
    [Fault.broken, Fault.broken_after, Fault.hang_after, Fault.reset_after, Fault.reset, Fault.garbage_after],
)
async def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    fake: FakeTwilio, provider: Twilio, fault: Fault
) -> None:
    fake.fail(fault)
    error = await failed(provider, recipient())
    assert (error.outcome, error.permanent) == (Outcome.unknown, False)
    assert len(fake.calls) == 1


async def test_no_connection_means_not_sent() -> None:
    provider = make("http://127.0.0.1:1")
    error = await failed(provider, recipient())
    await provider.close()
    assert (error.outcome, error.permanent) == (Outcome.refused, False)
