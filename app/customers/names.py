"""People's names: which texts are names, and how they are shown. Pure.

Whoever orders may write anything into a name, and it is then shown on the brand's pages and in its
messages. So there is one rule for all of them.
"""

import re
import unicodedata

from app.base.text import one_line, one_line_or_none

MAX_SHOWN = 40
"""Characters of a name that is shown."""
_MAX_WORDS = 3
_STORED = 100
_BETWEEN = " -\u2010'\u2019."
_MARKS_AT_ONCE = 4
"""More marks on one letter cover the lines around it."""
_DOMAIN = re.compile(r"\w\.\w{2,}")
"""A dot between words; initials such as `J.R.` have single letters."""
_NO_NAMES = frozenset(
    {
        *("null", "none", "nil", "nan", "undefined", "unknown", "anonymous", "n/a", "n.a.", "k.a.", "tbd"),
        *("no name", "noname", "first name", "firstname", "last name", "lastname", "name", "test"),
        *("guest", "customer", "client", "buyer", "user", "admin"),
        *("gast", "kunde", "kundin", "unbekannt", "anonym", "vorname", "nachname", "keine angabe"),
        *("invité", "invite", "inconnu", "anonyme", "prénom", "prenom", "nom"),
        *("invitado", "cliente", "desconocido", "anónimo", "anonimo", "nombre", "apellido"),
        *("convidado", "desconhecido", "anônimo", "nome", "ospite", "sconosciuto", "cognome"),
        *("klant", "onbekend", "anoniem", "gość", "klient", "nieznany", "gäst", "okänd", "gæst", "ukendt"),
        *("gjest", "ukjent", "vieras", "asiakas", "misafir", "müşteri"),
    }
)
"""What checkouts and people write where a name is asked for and none is given."""


def stated_name(text: str | None) -> str | None:
    """A first or last name in one line of at most 100 characters; None where the text is none.

    A placeholder such as `null`, `N/A`, `-` or `Guest` is none, nor is a text without a letter.
    """
    name = one_line_or_none(text, limit=_STORED)
    if name is None or name.casefold() in _NO_NAMES or not any(sign.isalpha() for sign in name):
        return None
    return name


def shown_name(text: str | None) -> str | None:
    """The name as pages and messages show it; None where it must not be shown.

    Letters, marks, spaces, `-`, `'` and `.` in at most three words and 40 characters: no sentence,
    number or web address of a stranger's choosing.
    """
    if not text or len(text) > 4 * MAX_SHOWN:
        return None
    name = stated_name(unicodedata.normalize("NFKC", one_line(text)))
    if name is None or len(name) > MAX_SHOWN or len(name.split()) > _MAX_WORDS:
        return None
    return None if _DOMAIN.search(name) or not _is_written_in_letters(name) else name


def _is_written_in_letters(name: str) -> bool:
    marks = _MARKS_AT_ONCE  # a name begins with no mark
    for sign in name:
        kind = unicodedata.category(sign)[0]
        marks = marks + 1 if kind == "M" else 0
        if marks > _MARKS_AT_ONCE or not (kind in "LM" or sign in _BETWEEN):
            return False
    return True
