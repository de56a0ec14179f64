"""Events as they stand in the store: each personal or secret value replaced by its ciphertext, so that a destroyed key takes it away.

A sealed event begins with the attribute ``sealed``, the number of such values; each is a text
``enc:v1:<number of the key>:<base64 of nonce and ciphertext>``, AES-256-GCM, bound to the relationship, the event's source and id, the
member's name and which of the event's sealed values it is. What equal values must be told apart by follows behind another colon: a
keyed digest, worth nothing without the key. Where the key is destroyed, ``ERASED`` is read in place of the value.

Opened, an event says what it said when it was appended; spaces between its members may be gone.

Sources: NIST SP 800-38D (a random nonce of 96 bits, at most 2**32 values a key); RFC 2104.
"""

import binascii
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas import personal
from schemas.errors import AlteredError, RefusedError
from schemas.personal import Mark
from schemas.touchpoint import UNREADABLE, Stored, Touchpoint

SEALED = b'{"sealed":'  # no event begins so that is not sealed: such a touchpoint is refused
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 4  # of the digest that tells values apart
ERASED = "(erased)"
OBJECTS = frozenset((b"data", b"replacement"))  # members whose value is an object; any other marked one may be a text

_TOKEN = b'"enc:v1:'


class _Named(msgspec.Struct, gc=False):
    source: str
    id: str
    subject: str


_decode_named = msgspec.json.Decoder(_Named).decode


class DataKey:
    """The key of one relationship's values, or of the ledger's own secrets. ``secret`` None: it was destroyed.

    Many are kept in memory, so a cipher, which takes 2.5 KB and 0.7 us to make, is made when it is used.
    """

    __slots__ = ("_secret", "number")

    def __init__(self, number: int, secret: bytes | None) -> None:
        self.number = number
        self._secret = secret

    @property
    def destroyed(self) -> bool:
        return self._secret is None

    def seal(self, value: bytes, bound: bytes, *, apart: bool) -> bytes:
        """The JSON text that stands for ``value``, JSON itself; without the key, one that is erased from the beginning."""
        if self._secret is None:
            return b'%b%d:"' % (_TOKEN, self.number)
        payload = binascii.b2a_base64(self.encrypt(value, bound), newline=False)
        told = b":" + self.digest(b"told apart", value)[:TAG_BYTES].hex().encode() if apart else b""
        return b'%b%d:%b%b"' % (_TOKEN, self.number, payload, told)

    def encrypt(self, value: bytes, bound: bytes) -> bytes:
        """A nonce and the ciphertext of ``value``, which opens only with what it is ``bound`` to. The key is there."""
        if self._secret is None:
            raise ValueError(f"key {self.number} was destroyed")
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._secret).encrypt(nonce, value, bound)

    def digest(self, purpose: bytes, value: bytes) -> bytes:
        """What equal values have in common, 32 bytes, by a key made of this one for the purpose. The key is there."""
        return hmac.digest(hmac.digest(self._secret or b"", purpose, "sha256"), value, "sha256")

    def open(self, payload: bytes, bound: bytes) -> bytes | None:
        """The value, as JSON; None: it is erased.

        Raises:
            AlteredError: it is not what was sealed there.
        """
        return None if self._secret is None or not payload else self.decrypt(binascii.a2b_base64(payload), bound)

    def decrypt(self, raw: bytes, bound: bytes) -> bytes:
        """What ``encrypt`` was given. The key is there.

        Raises:
            AlteredError: it is not what was sealed there.
        """
        if self._secret is None:
            raise ValueError(f"key {self.number} was destroyed")
        try:
            return AESGCM(self._secret).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError) as error:  # ValueError: cut off
            raise AlteredError("a sealed value is not what was sealed there: run rledger verify") from error


def new_key() -> bytes:
    """A data key, from the system's source of randomness."""
    return AESGCM.generate_key(KEY_BYTES * 8)


def seal(touchpoint: Touchpoint, key: Callable[[Mark], DataKey | None]) -> bytes:
    """The event as it will stand in the store.

    Args:
        touchpoint: of a type that may hold something to seal.
        key: asked only when there is something; None: leave it as it is.

    Raises:
        RefusedError: the event cannot be told from one that is sealed already.
    """
    names = f"{touchpoint.subject}\0{touchpoint.source}\0{touchpoint.id}\0".encode()
    count = 0

    def sealed(mark: Mark, name: str, value: bytes) -> bytes:
        nonlocal count
        with_ = key(mark)
        if with_ is None:
            return value
        token = with_.seal(value, b"%b%b\0%d" % (names, name.encode(), count), apart=mark is Mark.APART)
        count += 1
        return token

    try:
        event = personal.change(touchpoint.event, touchpoint.type, sealed)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RefusedError("bad_envelope", f"a name in the event is no text: {error}") from error
    if not count:
        return touchpoint.event
    if event.count(_TOKEN) != count:
        raise RefusedError("bad_data", "a text begins with enc:v1:, by which the ledger marks what it encrypted: write it otherwise")
    return b"%b%d,%b" % (SEALED, count, event[1:])


def is_sealed(event: bytes) -> bool:
    return event.startswith(SEALED)


def apart(event: bytes) -> list[bytes]:
    """A sealed event cut in front of each sealed value, its number first."""
    return event.split(_TOKEN)


def asked(parts: list[bytes]) -> Iterator[int]:
    """The keys that an event asks for, from its parts; 0, which no key has, where somebody altered that."""
    return (int(number) if (number := part.partition(b":")[0]).isdigit() else 0 for part in parts[1:])


def numbers(event: bytes) -> set[int]:
    """The keys an event asks for; none where it is not sealed."""
    return set(asked(apart(event))) if event.startswith(SEALED) else set()


def opened(stored: Stored, parts: list[bytes], keys: Mapping[int, DataKey]) -> Stored:
    """A sealed event with its values in place, or the mark of what is erased; ``UNREADABLE`` where it is not what was sealed.

    ``parts``: as ``apart`` cut it; ``keys``: those ``asked``, but for any that is not what was kept.
    """
    try:
        event = _put_together(stored.event, parts, keys)
    except (ValueError, LookupError, msgspec.MsgspecError):
        event = UNREADABLE
    return Stored(stored.position, stored.relationship, stored.version, stored.type, stored.recorded_us, event)


def open_event(event: bytes, keys: Mapping[int, DataKey]) -> bytes:
    """As ``opened``, of the event's bytes.

    Raises:
        AlteredError: it is not what was sealed.
    """
    return _put_together(event, apart(event), keys)


def _put_together(event: bytes, parts: list[bytes], keys: Mapping[int, DataKey]) -> bytes:
    head, *values = parts
    count, _, front = head[len(SEALED) :].partition(b",")
    if int(count) != len(values):
        raise AlteredError(f"{len(values)} values are sealed in an event that says {count.decode()}: run rledger verify")
    named = _decode_named(event)
    names = f"{named.subject}\0{named.source}\0{named.id}\0".encode()
    pieces = [b"{", front]
    for ordinal, value in enumerate(values):
        token, _, behind = value.partition(b'"')
        number, _, payload = token.partition(b":")
        payload, _, told = payload.partition(b":")
        name = front[front.rindex(b'"', 0, -2) + 1 : -2]
        said = keys[int(number)].open(payload, b"%b%b\0%d" % (names, name, ordinal))
        pieces += (_erased(name, told) if said is None else said, behind)
        front = behind
    return b"".join(pieces)


def is_erased(event: bytes, keys: Mapping[int, DataKey]) -> bool:
    """Whether a value of an event as it stands in the store was erased, so that what it said cannot be compared any more."""
    return any(keys[number].destroyed for number in numbers(event))


def _erased(name: bytes, told: bytes) -> bytes:
    if name in OBJECTS:
        return b'{"erased":true}'
    return msgspec.json.encode(f"(erased {told.decode()})" if told else ERASED)
