"""What is known of a customer does not depend on the order in which it arrived."""

from dataclasses import fields
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.customers.match import ComparablePerson, KnownCustomer, comparable, new_customer, update_details
from app.customers.person import ConsentStatement, Person
from tests.support.constants import NOW

ANN = UUID(int=1)
TIMES = st.integers(0, 3).map(lambda hours: NOW + timedelta(hours=hours))
CONSENTS = st.builds(ConsentStatement, given=st.sampled_from([True, False, None]), at=st.none() | TIMES)
STATEMENTS = st.builds(
    Person,
    email=st.just("ann@example.com"),
    phone=st.sampled_from([None, "+491701234567", "+491701234568"]),
    first_name=st.sampled_from([None, "Ann", "Anna", "N/A"]),
    last_name=st.sampled_from([None, "Lee", "Li"]),
    locale=st.sampled_from([None, "de", "fr"]),
    time_zone=st.sampled_from([None, None, "Asia/Tokyo"]),
    country=st.sampled_from([None, None, "AT", "IE"]),
    shipping_country=st.sampled_from([None, "FR", "ES"]),
    at=TIMES,
    email_consent=CONSENTS,
    sms_consent=CONSENTS,
)


def known_after(statements: list[ComparablePerson]) -> dict[str, object]:
    known = KnownCustomer(ANN)
    for statement in statements:
        update_details(known, statement)
    return details_of(known)


def details_of(known: KnownCustomer) -> dict[str, object]:
    names = {field.name for field in fields(known)} - {"changes", "new"}
    return {name: getattr(known, name) for name in names}


@given(st.lists(STATEMENTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_details_are_the_same_in_any_order(statements: list[Person], chance: object) -> None:
    # A consent to texts that names no number is about the number known at that time.
    given_in_order = [
        comparable(each, now=NOW) for each in statements if each.phone or each.sms_consent.given is not True
    ]
    shuffled = list(given_in_order)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert known_after(shuffled) == known_after(given_in_order)
    # Who is new is what the details make of an empty customer.
    for each in given_in_order[:1]:
        new = new_customer(ANN, each)
        assert (new.new, details_of(new)) == (True, known_after([each]))
