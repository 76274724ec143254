"""Generated people of many languages, drawn by a seed.

Every address is below `example.com`, which takes no mail.
"""

import random
from dataclasses import dataclass

_NAMES: tuple[tuple[str, str, str, str, str, str], ...] = (
    (
        "de",
        "DE",
        "Europe/Berlin",
        "+4915123",
        "Ana Jonas Mira Paul Lea Käthe",
        "Müller Weiß Vogt Krüger Sommer",
    ),
    ("en", "GB", "Europe/London", "+447400", "Emma Oliver Isla Harry Poppy", "Smith Taylor O’Neill Clarke"),
    ("fr", "FR", "Europe/Paris", "+33612", "Chloé Hugo Zoé Léon Inès", "Martin Lefèvre Dubois Moreau"),
    ("el", "GR", "Europe/Athens", "+306930", "Ελένη Γιώργος Μαρία Νίκος", "Παπαδοπούλου Νικολάου Ιωάννου"),
    ("uk", "UA", "Europe/Kyiv", "+380501", "Оксана Тарас Леся Андрій", "Шевченко Коваль Бондар"),
    ("tr", "TR", "Europe/Istanbul", "+905301", "İpek Çağla Özgür Emre", "Yılmaz Şahin Öztürk"),
    ("he", "IL", "Asia/Jerusalem", "+972502", "נועה דוד תמר יונתן", "כהן לוי מזרחי"),
    ("ar", "AE", "Asia/Dubai", "+971501", "ليلى عمر نور كريم", "حداد منصور خليل"),
    ("hi", "IN", "Asia/Kolkata", "+919810", "अनन्या राहुल प्रिया", "शर्मा वर्मा गुप्ता"),
    ("ja", "JP", "Asia/Tokyo", "+819012", "さくら 健太 美咲 翔", "佐藤 鈴木 高橋"),
    ("ko", "KR", "Asia/Seoul", "+821023", "지우 민준 서연", "김 이 박"),
    ("pt", "BR", "America/Sao_Paulo", "+5511910", "João Beatriz Luíza Caio", "Silva Conceição Araújo"),
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """A generated customer; `number` distinguishes two of the same name."""

    number: int
    first_name: str
    last_name: str
    locale: str
    country: str
    time_zone: str
    phone: str | None = None
    email: str | None = None
    email_consent: bool | None = None
    sms_consent: bool | None = None

    def as_customer(self) -> dict[str, str | bool | None]:
        """The customer object of a checkout delivery."""
        return {
            "id": f"buyer-{self.number}",
            "email": self.email,
            "phone": self.phone,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "locale": self.locale,
            "time_zone": self.time_zone,
            "country": self.country,
            "email_consent": self.email_consent,
            "sms_consent": self.sms_consent,
        }


def make_random(seed: int) -> random.Random:
    """The demo's random numbers: the same seed gives the same shop. No secret is made from them."""
    return random.Random(seed)  # noqa: S311


def make_buyer(rng: random.Random, number: int, *, contactable: bool = True) -> Buyer:
    """A random person. Without `contactable` either consent or address is missing."""
    locale, country, time_zone, prefix, firsts, lasts = rng.choice(_NAMES)
    texts = contactable and rng.random() < 0.3
    missing = None if contactable else rng.choice(("consent", "address"))
    return Buyer(
        number=number,
        first_name=rng.choice(firsts.split()),
        last_name=rng.choice(lasts.split()),
        locale=locale,
        country=country,
        time_zone=time_zone,
        phone=f"{prefix}{number % 1_000_000:06d}" if texts else None,
        email=None if missing == "address" else f"{locale}-{number}@example.com",
        email_consent=missing != "consent",
        sms_consent=True if texts else None,
    )


_WORDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "en": (
        (
            "Arrived early and wrapped with care.",
            "Just what I hoped for.",
            "My second order, and not my last.",
            "",
        ),
        ("Good, though the parcel took a while.", "Fine, a little dear.", ""),
        ("The lid was cracked.", "Too late for the birthday.", "Smaller than in the picture.", ""),
    ),
    "de": (
        ("Schnell, schön, gern wieder!", "Liebevoll verpackt.", ""),
        ("Gute Ware, Versand etwas langsam.", ""),
        ("Zu spät geliefert.", ""),
    ),
    "fr": (
        ("Très belle qualité.", "Emballage soigné, merci !", ""),
        ("Bien, mais un peu long.", ""),
        ("Reçu abîmé.", ""),
    ),
    "pt": (("Chegou antes do prazo. Lindo!", ""), ("Bom, mas demorou.", ""), ("Veio com defeito.", "")),
    "ja": (("とても気に入りました。", ""), ("まあまあです。", ""), ("箱が壊れていました。", "")),
    "el": (("Πολύ ωραίο, ευχαριστώ!", ""), ("Καλό, αλλά άργησε.", ""), ("Ήρθε σπασμένο.", "")),
    "uk": (("Дуже гарна якість!", ""), ("Непогано, але довго чекали.", ""), ("Прийшло пошкоджене.", "")),
}
"""Comments by language (English where we have none): of promoters, passives, detractors."""
_SCORES = ((9, 10), (7, 8), (2, 3, 4, 5, 6))


def make_answer(rng: random.Random, buyer: Buyer) -> tuple[int, str]:
    """A score with a fitting comment: 60 % promoters, 22 % passives, 18 % detractors."""
    band = rng.choices((0, 1, 2), (60, 22, 18))[0]
    return rng.choice(_SCORES[band]), rng.choice(_WORDS.get(buyer.locale, _WORDS["en"])[band])
