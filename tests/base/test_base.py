from uuid import UUID

import pytest

from app.base import ids, money, schema
from app.base.context import AppContext
from app.base.errors import NotFound
from app.base.tokens import Tokens, named_code, new_slug, plain_code, random_code, slug_brand

ROW = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


async def test_a_migrated_database_is_at_head(context: AppContext):
    assert await schema.is_current(context.engine)


def test_a_shown_id_reads_back_and_another_kind_does_not():
    shown = ids.public_id("red", ROW)
    assert shown == "red_01h455vb4pex5vsknk084sn02q"
    assert ids.parse_public_id("red", shown) == ROW
    for wrong in (
        "cod_01h455vb4pex5vsknk084sn02q",
        "red_",
        "red_zzz",
        shown[:-1],
        shown + "0",
        "red_81h455vb4pex5vsknk084sn02q",
    ):
        with pytest.raises(NotFound):
            ids.parse_public_id("red", wrong)


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("80.00", "EUR", 8000),
        ("80", "EUR", 8000),
        (800, "JPY", 800),
        ("8.125", "KWD", 8125),
        ("-1.50", "USD", -150),
        ("1e2", "EUR", 10000),
    ],
)
def test_money_is_read_exactly(value, currency, minor):
    assert money.parse(value, currency) == minor


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("80.001", "EUR"),
        ("1.5", "JPY"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("", "EUR"),
        ("1", "XXX"),
        (1.5, "EUR"),
        (True, "EUR"),
        ("1e30", "EUR"),
    ],
)
def test_money_that_cannot_be_booked_is_refused(value, currency):
    with pytest.raises(money.MoneyError):
        money.parse(value, currency)


def test_a_link_opens_its_own_row_for_its_own_purpose_only():
    tokens = Tokens("k" * 40)
    token = tokens.link("survey", 7, ROW)
    subject = tokens.read_link("survey", token)
    assert subject is not None
    assert (subject.brand_id, subject.row_id) == (7, ROW)
    assert tokens.read_link("referrer", token) is None
    assert Tokens("j" * 40).read_link("survey", token) is None
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert tokens.read_link("survey", changed) is None
    for wrong in ("", "a", "é" * 44, token + "A", token + "=", "A" * 1000):
        assert tokens.read_link("survey", wrong) is None


def test_links_and_keyed_hashes_stay_the_same_for_good():
    """As they were first made: mails carry the ones, tables keep the others."""
    tokens = Tokens("k" * 40)
    assert tokens.link("survey", 7, ROW) == "AQAAAAcBiQpdrJZ3S7zOswIJmoBXrjpWEZ2nUXc2K7NO"
    assert tokens.address_key("ana@example.com").hex() == "1772da0fca5e6895938a39515c8e8912950a3405"
    assert tokens.share("sample", ROW) == 0.1222343042749992


def test_a_slug_contains_its_brand():
    for brand in (1, 29, 30, 31, 12345, 2**31 - 1):
        assert slug_brand(new_slug(brand)) == brand
    for wrong in ("", "abc", "00000000000", "x" * 40, "é2345678"):
        assert slug_brand(wrong) is None


def test_codes_have_no_similar_characters_and_compare_as_people_type_them():
    for _ in range(500):
        assert not set(random_code()) & set("01OIL")
    assert plain_code(" ana-7k4 qx ") == "ANA7K4QX"


def test_named_code_keeps_the_letters_under_accents():
    assert [named_code(name).split("-")[0] for name in ("Zoé", "Käthe", "anna-LENA")] == [
        "ZOE",
        "KATHE",
        "ANNALENA",
    ]
    assert "-" not in named_code("美咲")
