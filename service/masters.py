"""Where secrets are, never shown and never logged: the master key, and the secret of pseudonyms.

The master key is a command's output, the environment's, or in a file that only its owner may read; the other is the environment's.

A SQLite ledger's is made as a file when it is first needed. On PostgreSQL, where several machines share the ledger, none is made by
itself: each of them must be given the same one.
"""

import base64
import os
import secrets
import stat
import subprocess
from collections.abc import Callable, Sequence

import msgspec

from ledger.ledger import Ledger
from ledger.sealing import KEY_BYTES
from ledger.vault import MasterKey, Vault
from schemas.errors import SettingsError, StoreUnavailableError
from schemas.pseudonym import pseudonyms
from schemas.touchpoint import LEDGER_SUBJECT
from service.settings import Settings

COMMAND_S = 30.0  # how long the command may take


def vault_of(settings: Settings) -> Vault:
    """What the ledger of the settings seals with."""
    masters = Masters(settings)
    return Vault(masters.load, masters.make if masters.makes else None, place=masters.place)


class State(msgspec.Struct, frozen=True):
    """Whether personal data is encrypted from now on (``on``), under which master key, looked for where, and whether that is here."""

    on: bool
    master: str | None
    place: str
    here: bool

    @property
    def told(self) -> str:
        """For people."""
        if not self.on:
            return f"personal data is kept in plain text: there is no master key at {self.place}"
        if self.master is None:
            return f"personal data is encrypted from the first on; its master key is at {self.place}"
        where = f"which is at {self.place}" if self.here else f"which is NOT at {self.place}: nobody can read or append any"
        return f"personal data is encrypted under master key {self.master}, {where}"


def state(settings: Settings, ledger: Ledger) -> State:
    """How things stand.

    Raises:
        SettingsError: what is there is no master key, or others can read it.
        StoreUnavailableError: the command failed.
    """
    masters, kept = Masters(settings), ledger.key_of(LEDGER_SUBJECT)
    there = masters.load()
    if kept is None:
        return State(bool(there) or masters.makes, None, masters.place, bool(there))
    return State(True, kept.master, masters.place, kept.master in {one.id for one in there})  # noqa: FBT003


class Masters:
    """The master keys of the settings. ``path``: of the file, where it is one."""

    def __init__(self, settings: Settings) -> None:
        self._given, self._command = settings.master_key, settings.master_command
        self.path = settings.data / "keys" / "master"
        self.makes = not (self._given or self._command) and settings.store.startswith("sqlite")

    @property
    def place(self) -> str:
        """Where they are, for people."""
        if self._command:
            return "RLEDGER_MASTER_KEY_COMMAND"
        return "RLEDGER_MASTER_KEY" if self._given else str(self.path)

    @property
    def is_file(self) -> bool:
        return not (self._given or self._command)

    def load(self) -> Sequence[MasterKey]:
        """All that are here, the newest first; none where there is no file.

        Raises:
            SettingsError: what is there is no master key, or others can read it.
            StoreUnavailableError: the command failed.
        """
        text = self._printed() if self._command else self._given or self._read()
        return [self._parsed(word) for word in text.split()]

    def make(self) -> MasterKey:
        """Make the file with a first key. Of two processes, both get that of the one that came first."""
        self._write(new(), exist_ok=False)
        return self.load()[0]

    def add(self) -> None:
        """Put a new key in front of those in the file."""
        self._write(f"{new()}\n{self._read()}", exist_ok=True)

    def forget(self) -> None:
        """Leave the newest key alone in the file."""
        self._write(self._read().split()[0], exist_ok=True)

    def _write(self, text: str, *, exist_ok: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self.path.with_name(f"master.{secrets.token_hex(8)}")
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text.strip() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            if exist_ok:
                beside.replace(self.path)
            else:
                os.link(beside, self.path)  # unlike a rename, it replaces nothing
        except FileExistsError:
            pass
        finally:
            beside.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)  # before the first event is sealed with it
        os.close(folder)

    def _read(self) -> str:
        try:
            if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                raise SettingsError(f"others can read {self.path}: chmod 600, then `rledger vault rotate`")
            return self.path.read_text()
        except FileNotFoundError:
            return ""

    def _printed(self) -> str:
        command = str(self._command)
        try:
            done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True, timeout=COMMAND_S, check=True)  # noqa: S602
        except (subprocess.SubprocessError, OSError) as error:  # which tells the command, and nothing of what it printed
            raise StoreUnavailableError(f"RLEDGER_MASTER_KEY_COMMAND failed: {error}; run it by hand, then try again") from None
        return done.stdout

    def _parsed(self, word: str) -> MasterKey:
        try:
            return MasterKey(base64.b64decode(word, validate=True))
        except (ValueError, SettingsError):  # neither shows what it was
            expected = f"{KEY_BYTES} bytes in base64, as `rledger vault new` prints"
            raise SettingsError(f"{self.place} holds no master key: expected {expected}") from None


def pseudonyms_of(settings: Settings) -> Callable[[str], str] | None:
    """What makes pseudonyms of names; None where there is no secret for it.

    Raises:
        SettingsError: what is given is none.
    """
    if settings.pseudonym_key is None:
        return None
    try:
        return pseudonyms(settings.pseudonym_key)
    except ValueError as error:
        raise SettingsError(f"RLEDGER_PSEUDONYM_KEY holds no secret for pseudonyms: {error}") from None


def new() -> str:
    """A new master key, as text."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
