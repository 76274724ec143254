import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.text import is_clean, isolated, one_line, one_line_or_none, several_lines

FAMILY = "👨‍👩‍👧"
PERSIAN = "می‌خواهم"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("given_text", "line", "lines"),
    [
        ("  Ana  Lena ", "Ana Lena", "Ana Lena"),
        ("Ana\r\nBcc: x", "Ana Bcc: x", "Ana\nBcc: x"),
        ("a\rb\vc\fd\x85e", "a b c d e", "a\nb\nc\nd\ne"),
        ("a\u2028b\u2029c", "a b c", "a\nb\nc"),
        ("a\n \n\t\n\nb", "a b", "a\n\nb"),
        ("a\tb", "a b", "a b"),
        ("ding\x07dong", "ding dong", "ding dong"),
        ("a\x00b\x1bc\x7fd\x9fe", "a b c d e", "a b c d e"),
        ("a\x1cb\x1dc\x1ed\x1fe", "a b c d e", "a b c d e"),
        ("\u202eevil\u202c", "evil", "evil"),
        ("\u2066x\u2069\u200e\u200f\u061cy", "xy", "xy"),
        ("A\u200bn\u2060a\ufeff\xad\u180e", "Ana", "Ana"),
        ("A\ud800n\udfffa", "Ana", "Ana"),
        ("a\U000e0041\U000e0042b", "ab", "ab"),
        ("An\u200da", "Ana", "Ana"),
        ("\u200dAna\u200c", "Ana", "Ana"),
        ("é\u200d\u200d\u200db", "é\u200db", "é\u200db"),
        (FAMILY, FAMILY, FAMILY),
        ("❤️‍🔥 1️⃣", "❤️‍🔥 1️⃣", "❤️‍🔥 1️⃣"),
        (PERSIAN, PERSIAN, PERSIAN),
        ("ക്‍ ", "ക്‍", "ക്‍"),
        (SCOTLAND, SCOTLAND, SCOTLAND),
        ("דנה שלום", "דנה שלום", "דנה שלום"),
        ("Zoe\u0301 美咲\xa0さん", "Zoe\u0301 美咲 さん", "Zoe\u0301 美咲 さん"),
        ("\x00\u200b \u202e\n", "", ""),
        ("", "", ""),
    ],
)
def test_text_from_outside_has_one_treatment(given_text, line, lines):
    assert one_line(given_text) == line
    assert several_lines(given_text, limit=200) == lines
    assert one_line_or_none(given_text) == (line or None)


def test_a_text_is_cut_at_its_limit_and_shows_it_where_asked():
    assert one_line("abc def", limit=4) == "abc"
    assert one_line("abcdef", limit=4, ellipsis=True) == "abc…"
    assert one_line("abcd", limit=4, ellipsis=True) == "abcd"
    assert several_lines("ab\n\ncd", limit=4) == "ab"
    assert one_line_or_none(None) is None


@pytest.mark.parametrize(
    ("text", "in_one", "in_several"),
    [
        ("Acme & Söhne", True, True),
        ("1 Main St\nBerlin", False, True),
        ("1 Main St\r\nBerlin", False, True),
        ("a\rb", False, False),
        ("a\u2028b", False, False),
        ("a\x07", False, False),
        ("a\u202eb", False, False),
        ("a\u200bb", False, False),
        ("a\ud800", False, False),
        ("a\u200db", False, False),
        (FAMILY + PERSIAN + SCOTLAND, True, True),
        ("a\xa0b  c", True, True),
    ],
)
def test_text_that_is_refused_rather_than_changed_is_judged_by_the_same_rules(text, in_one, in_several):
    assert is_clean(text) is in_one
    assert is_clean(text, lines=True) is in_several


@given(st.text(alphabet=st.characters(), max_size=300))
def test_cleaned_text_is_clean_fits_and_stays_as_it_is(text):
    line, lines = one_line(text, limit=50), several_lines(text, limit=50)
    assert len(line) <= 50
    assert len(lines) <= 50
    assert is_clean(line)
    assert is_clean(lines, lines=True)
    (line + lines).encode()
    assert "\n" not in line
    assert one_line(line, limit=50) == line
    assert several_lines(lines, limit=50) == lines


def test_a_name_from_right_to_left_is_isolated_and_no_other_is_changed():
    assert isolated("Ana") == "Ana"
    assert isolated("Grün & Söhne 花") == "Grün & Söhne 花"
    for name in ("\u05d0\u05d1", "Shop \u0645\u062a\u062c\u0631", "\u07ca"):
        assert isolated(name) == f"\u2068{name}\u2069"
