"""A whole copy of a log, read back: an export or a backup. Nothing in it is believed until hashes lead to what was signed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from ledger.plan import Row
from ledger.proof.checkpoint import Opened, Trust
from ledger.proof.errors import MalformedError, UnprovenError, UntrustedError
from ledger.proof.keys import VerifierKey
from ledger.proof.leaf import decode_line, hash_row
from ledger.proof.merkle import Frontier
from ledger.proof.text import encode_base64
from schemas.catalogue import SigningKeyAdopted
from schemas.errors import SettingsError
from schemas.identity import identity_of
from schemas.records import recorded
from schemas.touchpoint import Stored
from service import own
from service.copies import manifest as manifests
from service.copies.files import check_file, checked, checked_lines
from service.copies.manifest import CopiedFile, CopyDamagedError

PAGE_EVENTS = 4_096
KEY_ADOPTED = own.TYPES[SigningKeyAdopted]

Told = Callable[[int, int], None]
"""Told the events read so far, and how many there are."""


class Verified(msgspec.Struct):
    """A copy that is what it should be: its checkpoint, the tree and the moment (microseconds UTC) it ends with, and roots asked for."""

    opened: Opened
    tree: Frontier
    last_us: int
    roots: dict[int, bytes]


class WholeCopy:
    """The copy in ``folder``.

    Raises:
        CopyDamagedError: it has no manifest, or one that was altered.
        SettingsError: it holds a part of a log only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, manifests.read(folder)
        told = self.manifest
        if told.selection is not None:
            raise SettingsError(f"{folder} holds a part of the log only, {told.events:,} events: a ledger is made from a whole one")
        starts = [one.first for one in told.event_files]
        expected, at = [], 1
        for one in told.event_files:
            expected.append(at)
            at += one.events
        if starts != expected or at != told.events + 1 or not 0 < told.size <= told.events:
            raise CopyDamagedError(f"{folder / manifests.NAME} names files that do not follow each other: it was altered")

    def verify(self, vkeys: Sequence[VerifierKey], told: Told, sizes: Collection[int] = ()) -> Verified:
        """Read everything once, and hold it against the hashes, the tree, and the signed checkpoint.

        Args:
            vkeys: who may have signed it; none: the keys that its own log adopted, which a forger could have made.
            told: how far it is.
            sizes: of trees whose roots are asked for.

        Raises:
            CopyDamagedError: a file is missing or altered; the message says which, and where.
            UntrustedError: the checkpoint is not signed by a key of those.
            UnprovenError: the events are not those of the checkpoint.
        """
        told_of = self.manifest
        for one in told_of.files:
            if one not in told_of.event_files:
                check_file(self.folder, one)
        keys: list[VerifierKey] = []
        roots: dict[int, bytes] = {}
        tree, versions, last_us = Frontier(), dict[str, int](), 0
        for rows in self.pages():
            last_us = self._in_order(rows, versions, last_us)
            keys += [key for row in rows if row[3] == KEY_ADOPTED for key in _adopted(row)]
            hashes = [hash_row(*row[:-1]) for row in rows]
            for size in {told_of.size, *sizes}:
                if tree.size < size <= tree.size + len(rows):
                    roots[size] = tree.extended(hashes[: size - tree.size]).root()
            tree = tree.extended(hashes)
            told(tree.size, told_of.events)
        opened = self._checkpoint(vkeys or keys)
        if opened.checkpoint.size != told_of.size or roots[told_of.size] != opened.checkpoint.root:
            raise UnprovenError(f"the events in {self.folder} are not those that were signed: it was altered, manifest and all")
        if told_of.events_root not in {None, encode_base64(tree.root())}:
            raise CopyDamagedError(f"{self.folder}: the events behind the checkpoint are not those that were written")
        return Verified(opened, tree, last_us, roots)

    def pages(self) -> Iterator[list[Row]]:
        """The events as rows of the store, page by page; positions follow each other.

        Raises:
            CopyDamagedError: a line is not what was written; a file is longer, shorter or another.
        """
        rows: list[Row] = []
        for file in self.manifest.event_files:
            for number, stored in enumerate(self._records(file)):
                if stored.position != file.first + number:
                    raise self._wrong(file, number, f"it should hold position {file.first + number:,}, it says {stored.position:,}")
                rows.append(self._row(file, number, stored))
                if len(rows) == PAGE_EVENTS:
                    yield rows
                    rows = []
        if rows:
            yield rows

    def content(self, file: CopiedFile) -> bytes:
        """The content of a small file."""
        return checked(self.folder, file)

    def _in_order(self, rows: Sequence[Row], versions: dict[str, int], last_us: int) -> int:
        """Versions follow each other, and moments; returns the last."""
        for row in rows:
            versions[row[1]] = version = versions.get(row[1], 0) + 1
            if row[2] != version or row[4] < last_us:
                raise CopyDamagedError(f"{self.folder}: position {row[0]:,} does not follow the events in front of it: events were moved")
            last_us = row[4]
        return last_us

    def _records(self, file: CopiedFile) -> Iterator[Stored]:
        """What a file holds: as many as the manifest says."""
        number = -1
        for number, stored in enumerate(self._parquet(file) if self.manifest.events_format == "parquet" else self._lines(file)):
            if number >= file.events:
                raise self._wrong(file, number, f"the manifest says {file.events:,} events, there are more")
            yield stored
        if number + 1 != file.events:
            raise self._wrong(file, number + 1, f"the manifest says {file.events:,} events, they do not go on: it was cut off")

    def _lines(self, file: CopiedFile) -> Iterator[Stored]:
        for number, line in enumerate(checked_lines(self.folder, file)):
            try:
                yield decode_line(line)
            except MalformedError as error:
                raise self._wrong(file, number, str(error)) from error

    def _parquet(self, file: CopiedFile) -> Iterator[Stored]:
        from service.copies import parquet  # noqa: PLC0415  # pyarrow takes 0.2 s, which lines need not wait

        check_file(self.folder, file)
        return parquet.records(self.folder / file.name)

    def _row(self, file: CopiedFile, number: int, stored: Stored) -> Row:
        try:
            return (*msgspec.structs.astuple(stored), identity_of(stored.event))
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise self._wrong(file, number, f"it holds no event ({error})") from error

    def _wrong(self, file: CopiedFile, number: int, what: str) -> CopyDamagedError:
        return CopyDamagedError(f"{self.folder / file.name}, line {number + 1:,}: {what}")

    def _checkpoint(self, keys: Sequence[VerifierKey]) -> Opened:
        (file,) = self.manifest.files_of("checkpoint") or [CopiedFile("checkpoint", 0, "")]
        raw = checked(self.folder, file)
        if not keys:
            raise UntrustedError(f"the log in {self.folder} adopted no signing key, so nothing in it is proven")
        return Trust(self.manifest.origin, tuple(keys)).open(raw)


def _adopted(row: Row) -> list[VerifierKey]:
    event = recorded(Stored(*row[:-1]))
    return [VerifierKey.parse(event.data.vkey)] if isinstance(event.data, SigningKeyAdopted) else []
