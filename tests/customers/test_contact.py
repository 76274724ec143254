"""Edges of e-mail addresses, phone numbers, zones, locales and names."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.customers import contact, places, relays


@pytest.mark.parametrize(
    ("written", "identity"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com\n", "ann@example.com"),
        ("\u200bANN@exam\u00adple.com\ufeff", "ann@example.com"),
        ("\u202aann@example.com\u202c", "ann@example.com"),
        ("ann+shop@example.com", "ann+shop@example.com"),
        ("ann@MÜLLER.de", "ann@xn--mller-kva.de"),
        ("ann@straße.de", "ann@xn--strae-oqa.de"),
        ("o'neil@example.ie", "o'neil@example.ie"),
        ("a@b.co", "a@b.co"),
        ("ann@sub.domain.example", "ann@sub.domain.example"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
        ("", None),
        (None, None),
        ("ann", None),
        ("ann@localhost", None),
        ("@example.com", None),
        ("ann@", None),
        ("ann@@example.com", None),
        ("a@b@example.com", None),
        (".ann@example.com", None),
        ("ann.@example.com", None),
        ("a..n@example.com", None),
        ("ann@example..com", None),
        ("ann@-example.com", None),
        ("ann@exam_ple.com", None),
        ("ann@1.2.3.4", None),
        ("Ann <ann@example.com>", None),
        ("ann@example.com, bob@example.com", None),
        ("ann@example.com\r\nBcc: bob@example.com", None),
        ("an n@example.com", None),
        ("ann\x00@example.com", None),
        ("ann@exa\ud800mple.com", None),
        ("x" * 65 + "@example.com", None),
        ("ann@" + "x" * 64 + ".com", None),
        ("a@" + "x." * 150 + "com", None),
    ],
)
def test_email_is_normalised_or_counts_as_absent(written: str | None, identity: str | None) -> None:
    assert contact.email_identity(written) == identity


@given(st.text(max_size=300))
def test_any_text_can_be_normalised(text: str) -> None:
    identity = contact.email_identity(text)
    assert identity is None or contact.email_identity(identity) == identity
    contact.phone_e164(text, ["DE", None, "US"])
    places.locale_tag(text)
    places.country_code(text)


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        ("ann@example.com", "ann@example.com"),
        ("ann+1@example.com", "ann@example.com"),
        ("a.n.n@example.com", "a.n.n@example.com"),
        ("a.n.n+x+y@gmail.com", "ann@gmail.com"),
        ("ann@googlemail.com", "ann@gmail.com"),
        ("+ann@example.com", "+ann@example.com"),
        ("a.n_n-a+x@proton.me", "anna@proton.me"),
        ("anna@protonmail.com", "anna@proton.me"),
        ("anna@pm.me", "anna@proton.me"),
        ("ann+x@mac.com", "ann@icloud.com"),
        ("an.n@me.com", "an.n@icloud.com"),
        ("ann-shop@yahoo.co.uk", "ann@yahoo.co.uk"),
        ("ann-shop@example.com", "ann-shop@example.com"),
        ("-ann@ymail.com", "-ann@ymail.com"),
        ("shop@ann.fastmail.com", "ann@fastmail.com"),
        ("ann+shop@fastmail.fm", "ann@fastmail.fm"),
        ("shop@ann.example.com", "shop@ann.example.com"),
        ("...@gmail.com", "...@gmail.com"),
    ],
)
def test_aliases_of_one_mailbox_share_a_key(identity: str, key: str) -> None:
    assert contact.email_key(identity) == key


@pytest.mark.parametrize(
    ("written", "regions", "number"),
    [
        ("+49 170 1234567", [], "+491701234567"),
        ("0170 / 123 45 67", ["DE"], "+491701234567"),
        ("0049 170 1234567", ["US"], "+491701234567"),
        ("(00) 49 170 1234567", [], "+491701234567"),
        ("+1(502)-459-2181", ["DE"], "+15024592181"),
        ("502-459-2181", [None, "US"], "+15024592181"),
        ("07911 123456", ["US", "GB"], "+447911123456"),
        ("555-625-1199", ["US"], None),
        ("0170 1234567", [], None),
        ("\u202a+49\u00a0170 1234567\u202c", [], "+491701234567"),
        ("044 55 1234 5678", ["MX"], None),
        ("+49", ["DE"], None),
        ("+999 123456789", ["DE"], None),
        ("call me", ["DE"], None),
        ("", ["DE"], None),
        (None, ["DE"], None),
        ("1" * 400, ["DE"], None),
        ("0170 1234567", ["XX", "DE"], "+491701234567"),
    ],
)
def test_phone_number_is_read_in_the_first_region_where_it_is_valid(
    written: str | None, regions: list[str | None], number: str | None
) -> None:
    assert contact.phone_e164(written, regions) == number


@pytest.mark.parametrize(
    ("locale", "zone", "currency", "regions"),
    [
        ("de", "Europe/Berlin", "EUR", ("DE",)),
        ("en-GB", "UTC", "GBP", ("GB",)),
        ("pt_BR", "Asia/Tokyo", "CHF", ("BR", "JP", "CH")),
        ("en", "UTC", "EUR", ()),
        ("en", "UTC", "USD", ("US",)),
        ("fr", "UTC", "XOF", ()),
    ],
)
def test_a_shops_country_completes_its_phone_numbers(
    locale: str, zone: str, currency: str, regions: tuple[str, ...]
) -> None:
    assert places.shop_regions(locale, zone, currency) == regions


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("DE", "Europe/Berlin"),
        ("AT", "Europe/Vienna"),
        ("JP", "Asia/Tokyo"),
        ("ES", None),
        ("US", None),
        ("ZZ", None),
        (None, None),
    ],
)
def test_zone_comes_from_a_country_with_one_time(country: str | None, zone: str | None) -> None:
    assert places.zone_of_country(country) == zone


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("de", "de"),
        ("de_DE.UTF-8", "de-DE"),
        ("PT-br", "pt-BR"),
        ("zh_hans_CN", "zh-Hans-CN"),
        ("en-US-x-twain", "en-US"),
        ("auto", None),
        ("klingon", None),
        ("", None),
        (None, None),
        ("<script>", None),
    ],
)
def test_locale_becomes_a_language_tag(written: str | None, tag: str | None) -> None:
    assert places.locale_tag(written) == tag


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("de", "DE"),
        (" gb ", "GB"),
        ("UK", "GB"),
        ("Germany", "DE"),
        ("Österreich", "AT"),
        ("DEU", "DE"),
        ("Mars", None),
        ("SU", None),
        ("ZZ", None),
        ("", None),
        (None, None),
        ("ß", None),
    ],
)
def test_country_is_read_by_its_codes_and_names(written: str | None, code: str | None) -> None:
    assert places.country_code(written) == code


@pytest.mark.parametrize(
    ("address", "relay"),
    [
        ("x1y2@marketplace.amazon.de", True),
        ("x1y2@marketplace.amazon.co.uk", True),
        ("seller-x@members.ebay.com", True),
        ("a1b2c3@relay.faire.com", True),
        ("a+b@user.allegrogroup.pl", True),
        ("noreply@example.com", True),
        ("no-reply+7@example.com", True),
        ("do_not_reply@example.com", True),
        ("nicht-antworten@example.de", True),
        ("noemail@example.com", True),
        ("none@none.com", True),
        ("nora@example.com", False),
        ("no@example.com", False),
        ("noreplyson@example.com", False),
        ("na@example.com", False),
        ("ann@amazon.de", False),
        ("ann@marketplace.amazon.de.example.com", False),
        ("k7x2m@privaterelay.appleid.com", False),
        (None, False),
    ],
)
def test_marketplace_relays_and_no_reply_addresses_are_nobodys_own(address: str | None, relay: bool) -> None:
    assert relays.is_relay(address) is relay
    assert contact.personal_email(address) == (None if relay else address)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_number_in_e164_is_read_as_the_library_reads_it(region):
    """Real numbers, numbers near them, and ones with a national prefix."""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in range(11)]
    written = {phonenumbers.format_number(it, phonenumbers.PhoneNumberFormat.E164) for it in examples if it}
    for number in list(written):
        code = str(phonenumbers.country_code_for_region(region))
        rest = number.removeprefix(f"+{code}")
        written |= {f"+{code}{head}{rest}" for head in ("0", "1", "8", "9", "06", "15")}
        written |= {f"+{code}{digit}{rest[1:]}" for digit in "0123456789"}
        written |= {number[:-1], number[:-2], f"{number}0", f"{number}12"}
    for number in written:
        try:
            read = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            read = None
        valid = read is not None and phonenumbers.is_valid_number(read)
        expected = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164) if valid else None
        assert contact.phone_e164(number, ["DE"]) == expected
