"""No text makes a pattern or a number blow up: a megabyte costs less than a second, everywhere."""

import io
import logging
import time
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation

import pytest
import structlog
from pydantic import TypeAdapter, ValidationError

from app.base import log, money
from app.base.config import LogFormat
from app.base.ids import new_id
from app.base.log import REASON_LIMIT, scrub
from app.base.masking import without_addresses
from app.base.money import MoneyError
from app.base.text import quoted
from app.brands.amount_rules import Decimals
from app.customers.contact import email_identity
from app.ingest.failures import failed
from app.messaging.providers.sendgrid import events
from app.messaging.rules import ProviderEventKind
from app.platforms.events import Unparseable
from app.platforms.fields import Fields, load

MEGABYTE = 1_000_000
HOSTILE = {
    "one word": "a",
    "ats": "@",
    "ats and letters": "a@",
    "halves of addresses": "a@b.",
    "addresses": "a@b.example ",
    "dots": ".",
    "plus signs": "+1",
    "numbers": "+1 23 ",
    "keys": "tf_",
    "passwords": "://a:",
    "links": "/s/",
    "spaces": " ",
    "no-break spaces": "\u00a0",
    "quotes": "'\"",
    "zero bytes": "\0",
    "joiners": "\u200d",
    "surrogates": "\ud800",
}


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE.keys())
def text(request: pytest.FixtureRequest) -> str:
    return (request.param * MEGABYTE)[:MEGABYTE]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < 3.0


def in_time(work: Callable[[], object], *, seconds: float = 1.0) -> None:
    began = time.process_time()
    work()
    assert time.process_time() - began < seconds


def test_scrubbing_costs_what_the_limit_allows(text):
    in_time(lambda: scrub(text), seconds=0.1)
    in_time(lambda: scrub(text, limit=MEGABYTE))
    assert len(scrub(text)) <= REASON_LIMIT + 1


def test_masking_and_reading_of_addresses_are_linear(text):
    in_time(lambda: without_addresses(text))
    in_time(lambda: email_identity(text))
    in_time(lambda: quoted(text), seconds=2.0)
    assert len(quoted("€" * 99)) == 26


def test_a_log_line_is_cut_whatever_it_is_given(text, monkeypatch):
    stream = io.StringIO()
    settings, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    monkeypatch.setattr("sys.stderr", stream)
    try:
        log.configure_logs(LogFormat.json)

        def write() -> None:
            try:
                raise ValueError(text)
            except ValueError:
                log.logger("test").exception(
                    text, value=text, many=[text, {"deep": text}], error=OSError(text)
                )

        in_time(write, seconds=2.0)
    finally:
        structlog.configure(**settings)
        logging.getLogger().handlers[:] = handlers
    assert 0 < len(stream.getvalue()) < 12 * 6 * log.LOG_LIMIT


def test_the_reason_of_a_delivery_and_of_a_bounce_is_short(text):
    in_time(lambda: failed(new_id(), Unparseable(text)))
    assert len(failed(new_id(), Unparseable(text)).reason) <= REASON_LIMIT + 1
    event = {"event": "bounce", "reason": text, "status": text, "bounce_classification": text}
    in_time(lambda: events._detail(ProviderEventKind.bounced, event), seconds=2.0)
    assert len(events._detail(ProviderEventKind.bounced, event) or "") <= REASON_LIMIT + 1


@pytest.mark.parametrize(
    "method", ["currency", "amount", "decimal", "moment", "id", "text", "country", "texts"]
)
def test_an_error_about_a_field_repeats_at_most_24_characters(text, method):
    given = Fields({"it": text})
    begin = time.process_time()
    try:
        getattr(given, method)(*(("it", "EUR") if method == "amount" else ("it",)))
        reason = ""
    except Unparseable as error:
        reason = str(error)
    assert len(reason) < 150
    assert time.process_time() - begin < 1.0


NUMBERS = [
    "1e999999999",
    "1e-999999999",
    "-1E+1000000000000000000",
    "9" * 5_000,
    "0." + "1" * 5_000,
    "1" * MEGABYTE,
    "NaN",
    "NaN" + "1" * 100,
    "sNaN",
    "Infinity",
    "-inf",
    "1e",
    "0x10",
    "1,000.00",
]


def _as_decimal(number: str) -> list[Decimal]:
    try:
        return [Decimal(number)]
    except InvalidOperation:
        return []


@pytest.mark.parametrize("number", NUMBERS, ids=[number[:12] for number in NUMBERS])
def test_an_absurd_number_is_refused_in_one_short_sentence(number):
    for given in (number, *_as_decimal(number)):
        with pytest.raises(MoneyError) as refused:
            money.parse(given, "EUR")
        assert len(str(refused.value)) < 90
    with pytest.raises(ValidationError):
        TypeAdapter(Decimals).validate_python(number)
    with pytest.raises(Unparseable) as unparseable:
        load(f'{{"total": {number if number[:1] in "0123456789-N" else "[]"}}}'.encode()).amount(
            "total", "EUR"
        )
    assert len(str(unparseable.value)) < 150


@pytest.mark.parametrize("zero", ["0e999999999", "-0e-999999999", "0." + "0" * 60])
def test_a_zero_of_any_length_is_a_zero(zero):
    assert money.parse(zero, "EUR") == 0
    assert f"{money.parse_decimal(zero):f}" == "0"


def test_every_digit_counts_when_an_amount_has_too_many_decimals():
    assert money.parse("8.0000000000000000000000000000000000000", "EUR") == 800
    with pytest.raises(MoneyError, match="more decimals than EUR has"):
        money.parse("8.0000000000000000000000000000000000001", "EUR")


@pytest.mark.parametrize(
    "secret",
    [
        "joanna@shop.example",
        "jo.anna+news@shop.example",
        "o'neil@shop.example",
        "<joanna@shop.example>",
        "a@b@shop.example",
        "joanna@localhost",
        "+491701234567",
        "+49 170 1234567",
        "+49\u00a0170\u00a01234567",
        "+1 (555) 010-9999",
        "whsec_c2VjcmV0c2VjcmV0c2VjcmV0",
        "tf_AAAAAQ.secret",
        "https://nps.example/s/AAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_personal_or_secret_does_not_pass_and_no_half_of_it_at_the_cut(secret):
    plain = secret.strip("<>").removeprefix("https://nps.example/s/")
    for text in (f"sent to {secret} now", f"{secret}", f"a={secret}, b={secret};"):
        assert plain not in scrub(text)
        assert plain[4:] not in scrub(text)
    for before in range(REASON_LIMIT - len(secret) - 1, REASON_LIMIT + 1):
        shown = scrub("x" * (before - 1) + " " + secret + " y" * 600)
        assert plain[:8] not in shown


def test_numbers_stay_numbers_in_a_log_line():
    event = log._scrub_event(
        None, "info", {"n": 1, "ms": 1.5, "none": None, "yes": True, "list": [1, "a@b.c"]}
    )
    assert event == {"n": 1, "ms": 1.5, "none": None, "yes": True, "list": [1, "[hidden]"]}
