"""Constants that many tests use."""

from datetime import UTC, datetime
from pathlib import Path

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""A Tuesday noon: nobody's quiet hours in Europe."""
REFERRER_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
SECRET_KEY = "a key for tests alone, of no worth to anyone"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The Standard Webhooks project's own example."""
PROJECT = Path(__file__).resolve().parent.parent.parent
"""The checkout."""
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""GSM 03.38's basic alphabet: one septet each."""
