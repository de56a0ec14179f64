"""The keys to what is sealed: one of each relationship, one of the ledger's own secrets; kept in the store, wrapped by a master key.

The store says which keys there are and which were destroyed; it is asked at every append and every read, so a key destroyed by one
process is gone for all. What is remembered here only spares unwrapping the same key again. A destroyed key is never made anew.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import sealing
from ledger.sealing import KEY_BYTES, NONCE_BYTES, DataKey
from schemas.errors import AlteredError, SettingsError, StoreUnavailableError
from schemas.personal import Mark
from schemas.touchpoint import LEDGER_SUBJECT, Touchpoint

REMEMBERED = 50_000  # unwrapped keys; some 20 MB


class KeptKey(msgspec.Struct, frozen=True):
    """A key as it stands in the store. ``relationship`` LEDGER_SUBJECT: of the ledger's own secrets, made before any other.

    wrapped: by the master key called ``master``; None: destroyed, at ``destroyed_us``.
    """

    number: int  # counts from 1
    relationship: str
    wrapped: bytes | None
    master: str
    created_us: int
    destroyed_us: int | None = None


class KeyUnavailableError(StoreUnavailableError):
    """The master key that the ledger's keys are wrapped by is not here. Nothing was lost or written: bring it back, then try again."""

    code = "key_unavailable"


class MasterKey:
    """What wraps the other keys. ``id`` names it and tells nothing of it.

    Raises:
        SettingsError: it is not of 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise SettingsError(f"a master key has {KEY_BYTES} bytes, this one {len(secret)}: `rledger vault new` prints one")
        self.id = sha256(b"rledger master key\0" + secret).hexdigest()[:16]
        self._aead = AESGCM(secret)

    def wrap(self, number: int, relationship: str, key: bytes) -> bytes:
        """``key``, to be kept in the store as the key ``number`` of a relationship."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, _bound(number, relationship))

    def unwrap(self, kept: KeptKey) -> bytes:
        """The key.

        Raises:
            AlteredError: it is not what was wrapped: the store was changed from outside.
        """
        if kept.wrapped is None:
            raise ValueError(f"key {kept.number} was destroyed")
        try:
            return self._aead.decrypt(kept.wrapped[:NONCE_BYTES], kept.wrapped[NONCE_BYTES:], _bound(kept.number, kept.relationship))
        except (InvalidTag, ValueError) as error:  # ValueError: cut off
            raise AlteredError(f"key {kept.number} is not what was kept there: the store was changed from outside") from error


class Vault:
    """Seals and opens with the keys that the store has.

    Args:
        load: the master keys that are here, the one to use for a new ledger first; asked when one is needed that is not known yet.
        make: makes the first master key where there is none; None where none may be made.
        place: where they are looked for, for people.
    """

    def __init__(
        self, load: Callable[[], Sequence[MasterKey]] = tuple, make: Callable[[], MasterKey] | None = None, *, place: str = "hand"
    ) -> None:
        self._load, self._make, self.place = load, make, place
        self._masters: dict[str, MasterKey] = {}
        self._remembered: dict[bytes, DataKey] = {}  # by what is kept

    def master(self, wanted: str) -> MasterKey:
        """The master key ``wanted``.

        Raises:
            KeyUnavailableError: it is not here.
        """
        if wanted not in self._masters:
            self._masters |= {one.id: one for one in self._load()}
        try:
            return self._masters[wanted]
        except KeyError:
            raise KeyUnavailableError(
                f"personal data in this ledger is encrypted, and master key {wanted} is not at {self.place}: bring it there from where it "
                "is kept; if it is lost for good, so is the personal data, and proofs remain (docs/privacy.md)"
            ) from None

    def seals(self) -> bool:
        """Whether there is a master key, or one may be made."""
        return self._make is not None or bool(self._load())

    def first(self) -> MasterKey | None:
        """The master key a ledger without keys begins with, made where that may be; None: what is personal stands in plain text."""
        there = self._load()
        first = there[0] if there else self._make() if self._make else None
        if first is not None:
            self._masters[first.id] = first
        return first

    def newest(self) -> MasterKey:
        """The first of the master keys that are here: what a rotation goes to.

        Raises:
            SettingsError: there is none.
        """
        there = self._load()
        if not there:
            raise SettingsError(f"there is no master key at {self.place}: `rledger vault new` prints one")
        self._masters |= {one.id: one for one in there}
        return there[0]

    def open(self, kept: KeptKey) -> DataKey:
        """The key that is kept.

        Raises:
            AlteredError: it is not what was kept there.
            KeyUnavailableError: its master key is not here.
        """
        if kept.wrapped is None:
            return DataKey(kept.number, None)
        found = self._remembered.get(kept.wrapped)
        if found is None:
            found = DataKey(kept.number, self.master(kept.master).unwrap(kept))
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[kept.wrapped] = found
        return found

    def open_all(self, kept: Iterable[KeptKey]) -> dict[int, DataKey]:
        """As ``open``, by number."""
        return {one.number: self.open(one) for one in kept}

    def rewrapped(self, kept: KeptKey, master: MasterKey) -> KeptKey:
        """The same key, wrapped by another master key."""
        key = self.master(kept.master).unwrap(kept)
        return msgspec.structs.replace(kept, wrapped=master.wrap(kept.number, kept.relationship, key), master=master.id)

    def forget(self) -> None:
        """Remember no key any more."""
        self._remembered.clear()


class Sealer:
    """Seals what one commit appends. ``made``: the keys that it needed and the store did not have; ``ended``: those destroyed, as before.

    Args:
        vault: whose keys.
        asked: the relationships that may need a key, and the ledger itself.
        keys: theirs, as they stand in the store.
        last: the highest number of a key so far.
        now_us: when new ones are made.
    """

    def __init__(self, vault: Vault, asked: Collection[str], keys: Iterable[KeptKey], *, last: int, now_us: int) -> None:
        self._vault, self._asked, self._last, self._now_us = vault, frozenset(asked), last, now_us
        self._keys = {kept.relationship: kept for kept in keys}
        self._open: dict[str, DataKey] = {}
        self._master: MasterKey | None = None
        self._off = False
        self.made: list[KeptKey] = []
        self.ended: list[KeptKey] = []

    def seal(self, touchpoint: Touchpoint) -> bytes:
        """As ``sealing.seal``.

        Raises:
            KeyUnavailableError: the ledger's keys are wrapped by a master key that is not here.
            RefusedError: the event cannot be told from one that is sealed already.
        """
        relationship = touchpoint.subject
        return sealing.seal(touchpoint, lambda mark: self._key(LEDGER_SUBJECT if mark is Mark.SECRET else relationship))

    def letter_key(self, relationship: str | None) -> DataKey | None:
        """What a dead letter is sealed with, about a relationship or nobody knows what; None: what is personal stands in plain text."""
        return self._key(relationship if relationship in self._asked else LEDGER_SUBJECT)

    def now(self, kept: Iterable[KeptKey]) -> list[KeptKey]:
        """Keys as they will stand in the store."""
        return [self._keys[one.relationship] for one in kept]

    def erase(self, relationship: str) -> None:
        """Destroy a relationship's key, so that what is sealed from here on finds none either; where it has none, none is ever made."""
        kept = self._keys.get(relationship)
        if kept is None:
            self._last += 1
            self._add(KeptKey(self._last, relationship, None, "", self._now_us, self._now_us))
        elif kept.destroyed_us is None:
            self.ended.append(kept)
            self._keys[relationship] = msgspec.structs.replace(kept, wrapped=None, master="", destroyed_us=self._now_us)
            self._open.pop(relationship, None)

    def _key(self, relationship: str) -> DataKey | None:
        found = self._open.get(relationship)
        if found is None:
            kept = self._keys.get(relationship) or self._make(relationship)
            if kept is None:
                return None
            found = self._open[relationship] = self._vault.open(kept)
        return found

    def _make(self, relationship: str) -> KeptKey | None:
        master = self._wrapping()
        if master is None:
            return None
        if relationship != LEDGER_SUBJECT and LEDGER_SUBJECT not in self._keys:
            self._make(LEDGER_SUBJECT)
        self._last += 1
        return self._add(
            KeptKey(self._last, relationship, master.wrap(self._last, relationship, sealing.new_key()), master.id, self._now_us)
        )

    def _add(self, made: KeptKey) -> KeptKey:
        self._keys[made.relationship] = made
        self.made.append(made)
        return made

    def _wrapping(self) -> MasterKey | None:
        """The master key that new keys are wrapped by: the one of the ledger's own key, so that all writers use the same."""
        if self._master is None and not self._off:
            own = self._keys.get(LEDGER_SUBJECT)
            self._master = self._vault.first() if own is None else self._vault.master(own.master)
            self._off = self._master is None
        return self._master


def _bound(number: int, relationship: str) -> bytes:
    return f"{number}\0{relationship}".encode()
