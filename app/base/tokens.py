"""The only module that uses randomness or keys: link tokens, codes, keyed hashes, sealed secrets.

A link token is never stored. It is `brand number + row id + truncated HMAC` over its purpose and
both, so a reminder carries the same link as the first message, a leaked database opens nothing, and
finding the row is a primary key lookup.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Thirty letters and digits that cannot be mistaken for each other (no 0 O 1 I L U)."""
_VERSION = 1
_MAC_BYTES = 12
"""96 bits: a guess has one chance in 8e28, and failed lookups are rate limited besides."""
_BAD_WORDS = re.compile(
    "FCK|FVCK|SHT|CNT|NGGR|NGR|DCK|CCK|TWAT|WNK|NAZ|H88|88H|KKK|SEX|XXX|ASS|ARSE|FAG|DAMN|HATE|RAPE|TTS|PRN|KNT|GAY|FKK|VAG|PNS|NZ|SS"
)
_BRAND_BYTES = 4
_TOKEN = re.compile(r"[\w-]{44}", re.ASCII)
_STANDARD_BASE64 = str.maketrans("-_", "+/")
_DROPPED_IN_CODES = re.compile(r"[\s\-\u2010-\u2015\u2212]")
_INVISIBLE = ("Cf", "Cc", "Cs")
"""Unicode categories of what a pasted code may carry unseen, such as a zero width space."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The row that a token is about."""

    brand_id: int
    row_id: UUID


class _Derived:
    """The keys derived from one secret, by purpose."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._keys: dict[str, bytes] = {}
        self._keyed: dict[str, tuple[hashlib._Hash, hashlib._Hash]] = {}

    def __reduce__(self) -> tuple[type["_Derived"], tuple[bytes]]:
        return _Derived, (self._secret,)

    def key(self, purpose: str) -> bytes:
        key = self._keys.get(purpose)
        if key is None:
            info = f"tenfold/{_VERSION}/{purpose}".encode()
            key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self._secret)
            self._keys[purpose] = key
        return key

    def mac(self, purpose: str, body: bytes) -> bytes:
        """HMAC-SHA-256 (RFC 2104), from the two keyed beginnings of each purpose.

        Copied here they cost less than half of what the standard library's own copy does.
        """
        keyed = self._keyed.get(purpose)
        if keyed is None:
            padded = self.key(purpose).ljust(hashlib.sha256().block_size, b"\0")
            first, second = (hashlib.sha256(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))
            keyed = self._keyed[purpose] = first, second
        inner, outer = keyed[0].copy(), keyed[1].copy()
        inner.update(body)
        outer.update(inner.digest())
        return outer.digest()

    def link_mac(self, purpose: str, body: bytes) -> bytes:
        return self.mac(f"link/{purpose}", body)[:_MAC_BYTES]

    def vault(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.key("vault")))

    def fingerprint(self) -> bytes:
        return self.key("fingerprint")[:16]


class Tokens:
    """Everything derived from the installation's secret key.

    Links and sealed secrets of former keys are opened too; new ones are made with the present key.
    Keyed hashes are made with a root of their own, which outlives a change of the key: without an
    address nobody could compute its hash anew. Until the database's root is adopted
    (`app.base.secret_key`) it is derived from the present key. One instance per process.
    """

    def __init__(self, secret_key: str, old_keys: Sequence[str] = ()) -> None:
        self._present = _Derived(secret_key.encode())
        self._ring = [self._present, *(_Derived(key.encode()) for key in old_keys)]
        self._vaults = [each.vault() for each in self._ring]
        self._root = self._present.key("hashes")
        self._hashes = _Derived(self._root)

    @property
    def fingerprint(self) -> bytes:
        """Identifies the present key without revealing it: 16 bytes."""
        return self._present.fingerprint()

    @property
    def old_fingerprints(self) -> list[bytes]:
        """As `fingerprint`, of the former keys."""
        return [each.fingerprint() for each in self._ring[1:]]

    def sealed_root(self) -> str:
        """The root of the keyed hashes, sealed under the present key."""
        return self.seal(self._root.hex())

    def adopt_root(self, sealed: str) -> None:
        """Make keyed hashes with this root. Raises `ValueError` where no key of ours opens it."""
        self._root = bytes.fromhex(self.open(sealed))
        self._hashes = _Derived(self._root)

    def link(self, purpose: str, brand_id: int, row_id: UUID) -> str:
        """Return the token of one row for one purpose (`survey`, `referrer`, `unsubscribe`, …).

        44 URL-safe characters, always the same.
        """
        body = bytes([_VERSION]) + brand_id.to_bytes(_BRAND_BYTES) + row_id.bytes
        return base64.urlsafe_b64encode(body + self._present.link_mac(purpose, body)).decode().rstrip("=")

    def read_link(self, purpose: str, token: str) -> Subject | None:
        """Return what a token is about, or None for a token that was not made here.

        Takes the same time for all tokens of one length.
        """
        # So long, and of these letters, it stands for bytes in one way only.
        if _TOKEN.fullmatch(token) is None:
            return None
        raw = binascii.a2b_base64(token.translate(_STANDARD_BASE64))
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        matching = [hmac.compare_digest(mac, each.link_mac(purpose, body)) for each in self._ring]
        if True not in matching or body[0] != _VERSION:
            return None
        return Subject(int.from_bytes(body[1 : 1 + _BRAND_BYTES]), UUID(bytes=body[1 + _BRAND_BYTES :]))

    def form_token(self, session_id: UUID) -> str:
        """A token for one form that is shown in one session.

        It is another one each time, so nobody can guess it by the sizes of compressed pages.
        """
        salt = secrets.token_bytes(_MAC_BYTES)
        mac = self._present.link_mac("form", session_id.bytes + salt)
        return base64.urlsafe_b64encode(salt + mac).decode()

    def is_form_token(self, token: str, session_id: UUID) -> bool:
        """Whether `form_token` made this for the session; takes the same time for all tokens."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            return False
        salt, mac = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        body = session_id.bytes + salt
        matching = [hmac.compare_digest(mac, each.link_mac("form", body)) for each in self._ring]
        return any(matching)

    def address_key(self, address: str) -> bytes:
        """A keyed hash of an e-mail address or phone number: finds it again without storing it."""
        return self._hashes.mac("address", address.encode("utf-8", "surrogatepass"))[:20]

    def visitor_key(self, row_id: UUID, day: date, visitor: str) -> bytes:
        """A keyed hash of who opened a link on a day; on another day and link it is another.

        So a person is counted once a day and cannot be followed.
        """
        about = row_id.bytes + day.isoformat().encode() + visitor.encode("utf-8", "surrogatepass")
        return self._hashes.mac("visitor", about)[:16]

    def network_key(self, brand_id: int, network: str) -> int:
        """24 bits of a keyed hash of a network, another one for each brand.

        Hundreds of addresses have the same, so it names nobody.
        """
        about = brand_id.to_bytes(_BRAND_BYTES) + network.encode("utf-8", "surrogatepass")
        return int.from_bytes(self._hashes.mac("network", about)[:3])

    def guess_key(self, what: str, who: str) -> bytes:
        """A keyed hash of what is guessed at sign-in, and for whom."""
        return self._hashes.mac(f"guess/{what}", who.encode("utf-8", "surrogatepass"))[:20]

    def recovery_key(self, row_id: UUID, code: str) -> bytes:
        """A keyed hash of a recovery code: the stored ones cannot be searched without the key."""
        return self._hashes.mac("recovery", row_id.bytes + code.encode("utf-8", "surrogatepass"))

    def share(self, purpose: str, row_id: UUID) -> float:
        """A number in [0, 1) that is always the same for one row; chooses samples and holdouts."""
        return int.from_bytes(self._hashes.mac(f"share/{purpose}", row_id.bytes)[:7]) / (1 << 56)

    def seal(self, plain: str) -> str:
        """Encrypt a secret for storage."""
        return self._vaults[0].encrypt(plain.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt a stored secret. Raises `ValueError` when it was sealed under another key."""
        for vault in self._vaults:
            try:
                return vault.decrypt(sealed.encode()).decode()
            except InvalidToken:
                continue
        raise ValueError("the secret was stored under another TENFOLD_SECRET_KEY")

    def is_present(self, sealed: str) -> bool:
        """Whether a secret is sealed under the present key."""
        try:
            self._vaults[0].decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True


def random_code(length: int = 10) -> str:
    """A random code of letters and digits, without offensive words: 10 carry about 49 bits."""
    while True:
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))
        if not _BAD_WORDS.search(code):
            return code


def named_code(first_name: str) -> str:
    """`ANA-7K4QX`: the first name's letters A-Z (at most 10) and five random ones.

    Accents are dropped, not their letters: Zoé becomes ZOE. A random code where no letter is left.
    """
    plain = unicodedata.normalize("NFKD", first_name).upper()
    name = "".join(letter for letter in plain if "A" <= letter <= "Z")[:10]
    if not name or _BAD_WORDS.search(name):
        return random_code()
    while True:
        tail = random_code(5)
        if not _BAD_WORDS.search(name[-3:] + tail):
            return f"{name}-{tail}"


def plain_code(entered: str) -> str:
    """A code in comparable form: case folded, spaces, dashes and invisible characters dropped.

    Full-width and other compatible letters are the plain ones (NFKC).
    """
    if not entered.isascii():
        entered = "".join(
            letter
            for letter in unicodedata.normalize("NFKC", entered)
            if unicodedata.category(letter) not in _INVISIBLE
        )
    return _DROPPED_IN_CODES.sub("", entered).upper()


def new_slug(brand_id: int) -> str:
    """A share slug: the brand's number, then eight random letters.

    Unique by chance (40 bits per brand) and by key.
    """
    number, head = brand_id, ""
    while number:
        number, rest = divmod(number, len(CODE_ALPHABET))
        head = CODE_ALPHABET[rest] + head
    return (head + random_code(8)).lower()


def slug_brand(slug: str) -> int | None:
    """The brand number inside a share slug, or None where it cannot be a slug of ours."""
    letters = slug.upper()[:-8]
    if not letters or len(slug) > 15 or any(letter not in CODE_ALPHABET for letter in slug.upper()):
        return None
    number = 0
    for letter in letters:
        number = number * len(CODE_ALPHABET) + CODE_ALPHABET.index(letter)
    return number if 0 < number < 2**31 else None


def new_secret(bytes_: int = 32) -> str:
    """A URL-safe random secret."""
    return secrets.token_urlsafe(bytes_)


def new_webhook_secret() -> str:
    """A Standard Webhooks signing secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_hash(secret: str) -> bytes:
    """SHA-256 of a secret that is itself random, for storing it; not for passwords."""
    return hashlib.sha256(secret.encode()).digest()


def tag_prefix() -> str:
    """Twelve random letters for the tags of one batch (58 bits), which no name can contain."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(12)).lower()
