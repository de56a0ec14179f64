"""Files of a copy: hashed as they are written and read, readable by their owner alone, under their name only once they are whole."""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from schemas.errors import SettingsError, StoreUnavailableError
from service.copies.manifest import NAME, CopiedFile, CopyDamagedError

PARTIAL = ".partial"
READ_BYTES = 1 << 20


class Growing:
    """A file on its way. Takes what pyarrow asks of a file, too.

    Raises:
        StoreUnavailableError: it cannot be written; so does each method.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._partial = path, path.with_name(path.name + PARTIAL)
        self._hash, self._bytes, self.events, self.first = sha256(), 0, 0, 0
        try:
            self._file = os.fdopen(os.open(self._partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb")
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, content: bytes) -> int:
        """Append ``content``."""
        try:
            self._file.write(content)
        except OSError as error:
            raise self._unwritable(error) from error
        self._hash.update(content)
        self._bytes += len(content)
        return len(content)

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        """Nothing: what counts is ``finish``."""

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        """Nothing: what counts is ``finish``."""

    def finish(self) -> CopiedFile:
        """Make it durable, and give it its name."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error
        return CopiedFile(self.path.name, self._bytes, self._hash.hexdigest(), self.events, self.first)

    def drop(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._partial} cannot be written ({error}): check the disk and its permissions")


def write_whole(path: Path, content: bytes) -> CopiedFile:
    """Write a small file."""
    file = Growing(path)
    try:
        file.write(content)
        return file.finish()
    finally:
        file.drop()


def empty_folder(folder: Path) -> None:
    """Make ``folder``, which only its owner can read; what a killed predecessor left half written is removed.

    Raises:
        SettingsError: there is something in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = list(folder.iterdir())
    except OSError as error:
        raise SettingsError(f"{folder} cannot be the folder ({error.strerror}): name another one") from error
    unfinished = not any(one.name == NAME for one in found) and any(one.name.endswith(PARTIAL) for one in found)
    if found and not unfinished:
        raise SettingsError(f"{folder} holds {found[0].name} already: name a new folder")
    for one in found:
        one.unlink()


def checked_lines(folder: Path, told: CopiedFile) -> Iterator[bytes]:
    """The lines of a file, which is held against its length and hash when it was read to its end.

    Raises:
        CopyDamagedError: it is missing, shorter or longer than the manifest says, or has other bytes.
    """
    hash_, length = sha256(), 0
    with _opened(folder / told.name) as file:
        for line in file:
            hash_.update(line)
            length += len(line)
            yield line
    _compare(folder / told.name, told, length, hash_.hexdigest())


def checked(folder: Path, told: CopiedFile) -> bytes:
    """The content of a small file.

    Raises:
        CopyDamagedError: as in ``checked_lines``.
    """
    return b"".join(checked_lines(folder, told))


def check_file(folder: Path, told: CopiedFile) -> None:
    """Hold a file against its hash without looking into it.

    Raises:
        CopyDamagedError: as in ``checked_lines``.
    """
    hash_, length = sha256(), 0
    with _opened(folder / told.name) as file:
        while block := file.read(READ_BYTES):
            hash_.update(block)
            length += len(block)
    _compare(folder / told.name, told, length, hash_.hexdigest())


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise CopyDamagedError(f"{path} is missing, though the manifest names it: fetch the copy again") from None


def _compare(path: Path, told: CopiedFile, length: int, digest: str) -> None:
    if length != told.bytes:
        raise CopyDamagedError(f"{path} has {length:,} bytes, the manifest says {told.bytes:,}: it was cut off or added to")
    if digest != told.sha256:
        raise CopyDamagedError(f"{path} is not the file that was written: its SHA-256 is {digest}, the manifest says {told.sha256}")
