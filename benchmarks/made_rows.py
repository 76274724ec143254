"""SQL of made-up rows: values that look random and are the same each time, and ids with a time."""

BRAND, ORDERS = "CAST(:brand AS int)", "CAST(:orders AS int)"
YEARS = 3
FIRST_NAMES = (
    "Ana Ben Clara David Eva Felix Grete Hugo Ida Jan Klara Leon Mia Noah Olga Paul Rosa Sam Thea Uwe"
)
LAST_NAMES = "Albrecht Berger Cohen Diallo Eriksen Fischer Garcia Haas Ivanova Jansen Keller Lopez Moreau"
COUNTRIES = "DE FR IT ES US AT"


def chance(salt: int, row: str = "n") -> str:
    """A number from 0 that looks random and is the same each time, for the row of this number."""
    return f"(hashint8extended({row}, {salt}) & 2147483647)"


def row_id(at: str, kind: int, row: str = "n") -> str:
    """The id of a row of a kind (one hexadecimal digit): it begins with its time, as ours do."""
    milliseconds = f"lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    return f"CAST({milliseconds} || '{kind:x}' || lpad(to_hex({row}), 19, '0') AS uuid)"


def one_of(words: str, salt: int, row: str = "n") -> str:
    """One of these words, each as often."""
    known = words.split()
    listed = ", ".join(f"'{word}'" for word in known)
    return f"(ARRAY[{listed}])[1 + {chance(salt, row)} % {len(known)}]"


def one_line_of(lines: tuple[str, ...], salt: int, row: str = "n") -> str:
    """One of these lines, each as often."""
    listed = ", ".join("'" + line.replace("'", "''") + "'" for line in lines)
    return f"(ARRAY[{listed}])[1 + {chance(salt, row)} % {len(lines)}]"


def spread(count: str) -> str:
    """The time of row `n` of so many that are spread evenly over the years until now."""
    return f"""(now() - make_interval(days => 365 * {YEARS})
        + make_interval(secs => 86400.0 * 365 * {YEARS} * n / {count}))"""
