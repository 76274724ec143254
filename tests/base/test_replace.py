"""Changed copies of frozen dataclasses."""

from dataclasses import replace

import pytest

from app.base.replace import replaced
from app.customers.person import ConsentStatement, Person
from app.platforms.events import OrderPaid
from tests.support.constants import NOW

PERSON = Person(email="ana@example.com", email_consent=ConsentStatement(given=True, source="form"))
ORDER = OrderPaid("7", "#7", NOW, "EUR", None, 8000, None, PERSON, tags=("vip",))


def test_a_copy_is_what_the_standard_library_makes() -> None:
    assert replaced(ORDER, trial=True, person=Person()) == replace(ORDER, trial=True, person=Person())
    assert replaced(PERSON, at=NOW) == replace(PERSON, at=NOW)
    assert replaced(PERSON) == PERSON
    with pytest.raises(KeyError):
        replaced(PERSON, age=7)
