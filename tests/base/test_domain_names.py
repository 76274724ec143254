"""Domains and senders as mail servers take them."""

import pytest

from app.base.config import load_settings
from app.base.domain_names import encoded_domain, split_sender
from app.base.errors import AppError
from app.brands.rules import domain_of
from tests.support.constants import SECRET_KEY


def test_an_international_domain_is_encoded_wherever_it_is_compared():
    assert encoded_domain("Grün.Example.") == "xn--grn-ioa.example"
    assert domain_of("https://www.grün.example/shop") == domain_of("hi@GRÜN.example") == "xn--grn-ioa.example"
    assert (encoded_domain("a b.example"), encoded_domain("grün..example"), encoded_domain("")) == (None,) * 3


@pytest.mark.parametrize(
    "text", ["acme.example", "jörg@acme.example", "hi@", "hi@acme..example", "a..b@acme.example"]
)
def test_what_mail_cannot_come_from_is_no_sender(text):
    assert split_sender(text) is None
    with pytest.raises(AppError, match="TENFOLD_EMAIL_FROM: must be an address such as"):
        load_settings(_env_file=None, secret_key=SECRET_KEY, email_from=text)


def test_a_sender_has_a_name_where_one_stands_before_it():
    assert split_sender("Müller <Hallo@müller.example>") == ("Müller", "Hallo@xn--mller-kva.example")
    assert split_sender("hi@localhost") == ("", "hi@localhost")


def test_the_public_address_is_ascii_as_headers_of_mails_are():
    settings = load_settings(
        _env_file=None, secret_key=SECRET_KEY, public_url="https://nps.grün.example:8443/x/"
    )
    assert settings.public_url == "https://nps.xn--grn-ioa.example:8443/x"
