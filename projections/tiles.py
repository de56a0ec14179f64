"""The Merkle tree as files beside the views, in C2SP's tlog-tiles layout: what proofs are made from, and may be served as they are.

A tile holds what the log held when it was hashed, and is never hashed again: a log that was altered since no longer fits its tiles. It
is the ledger's second memory, apart from the database. Written like a view: behind the log, resumable, made anew when thrown away.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ledger.ledger import Ledger
from ledger.proof.errors import MalformedError, UnprovenError
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Nodes, tree_root
from ledger.proof.tiles import WIDTH, Tile, grow, nodes
from schemas.errors import StoreUnavailableError

PAGE_EVENTS = 32 * WIDTH  # hashed at once; full tiles, so that only the last page of all leaves partial ones


class _Kept(msgspec.Struct):
    """How far the tiles are: all of the first ``size`` leaves of the log ``origin``."""

    origin: str
    size: int


class Tiles:
    """The tiles of ``ledger`` in ``folder``: ``tile/`` as served, and ``kept.json``, how far they are.

    Every method may raise ``StoreUnavailableError``: the files cannot be read or written now.
    """

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder, self._ledger = folder, ledger
        self._origin = ledger.tree().origin
        self._nodes: tuple[int, Nodes] | None = None

    @property
    def size(self) -> int:
        """Leaves that are in the tiles. Tiles of another ledger count for nothing, and are removed when the first are written."""
        try:
            kept = msgspec.json.decode((self.folder / "kept.json").read_bytes(), type=_Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return 0
        return kept.size if kept.origin == self._origin else 0

    def advance(self, upto: int | None = None, told: Callable[[int], None] = lambda _: None) -> int:
        """Hash what the log has more than the tiles, up to the size ``upto``; without it, a page of what fills tiles.

        ``told`` is called with the leaves added, page by page. Killed in between, the next call goes on. Returns: leaves added.

        Raises:
            UnprovenError: the log is shorter than its tiles.
            MalformedError: a tile is missing or damaged.
        """
        with self._alone():
            size = start = self.size
            head = self._ledger.head().position
            if head < size:
                raise UnprovenError(
                    f"the log has {head:,} events, and had {size:,} when the tiles in {self.folder} were made: it lost events, or is an "
                    "older backup; if that was meant to be, remove the folder and tell your auditors"
                )
            upto = min(head // WIDTH * WIDTH, size + PAGE_EVENTS) if upto is None else upto
            if size == 0 < upto:
                self._start_anew()
            while size < upto:
                page = self._ledger.read_sealed(after=size, limit=min(PAGE_EVENTS - size % WIDTH, upto - size))
                if not page or page[-1].position != size + len(page):
                    raise UnprovenError(f"position {size + 1:,} or one soon after is missing from the log: see `rledger verify`")
                for tile, content in grow(size, (hash_row(*msgspec.structs.astuple(stored)) for stored in page), self.read):
                    self._write(tile, content)
                size += len(page)
                _replace(self.folder / "kept.json", msgspec.json.encode(_Kept(self._origin, size)))
                told(size - start)
            return size - start

    def read(self, tile: Tile) -> bytes:
        """The content of a tile: of the full one where there is one, else of the narrowest partial one that is wide enough.

        Raises:
            MalformedError: there is none.
        """
        full = self.folder / Tile(tile.level, tile.index).path
        try:
            if full.exists():
                return full.read_bytes()
            widths = sorted(int(one.name) for one in full.with_name(f"{full.name}.p").iterdir() if one.name.isdigit())
            width = next(width for width in widths if width >= tile.width)
            return (self.folder / Tile(tile.level, tile.index, width).path).read_bytes()
        except (FileNotFoundError, StopIteration):
            raise MalformedError(f"{self.folder / tile.path} is missing: remove the folder, the tiles are made anew from the log") from None
        except OSError as error:
            raise StoreUnavailableError(f"{full} cannot be read ({error}): check the disk and its permissions") from error

    def nodes(self, size: int) -> Nodes:
        """The nodes of the tree of ``size``, at most ``self.size``; asked for that size again, it remembers the upper tiles."""
        if self._nodes is None or self._nodes[0] != size:
            self._nodes = size, nodes(size, self.read)
        return self._nodes[1]

    def root(self, size: int) -> bytes:
        """The root of the tree of ``size``, at most ``self.size``."""
        return tree_root(size, self.nodes(size))

    def publish(self, checkpoint: bytes) -> None:
        """Put a signed checkpoint beside the tiles, where whoever reads them looks for it."""
        _replace(self.folder / "checkpoint", checkpoint)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for other processes that write tiles; they write the same, but not at the same time."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("wb")
        except OSError as error:
            raise StoreUnavailableError(f"{self.folder} cannot be used ({error}): check the disk and its permissions") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go with the file
            yield

    def _start_anew(self) -> None:
        shutil.rmtree(self.folder / "tile", ignore_errors=True)
        (self.folder / "checkpoint").unlink(missing_ok=True)

    def _write(self, tile: Tile, content: bytes) -> None:
        path = self.folder / tile.path
        _replace(path, content)
        if tile.width == WIDTH:
            shutil.rmtree(
                path.with_name(f"{path.name}.p"), ignore_errors=True
            )  # the format lets partial tiles go once the full one is there


def _replace(path: Path, content: bytes) -> None:
    """Write ``path`` so that whoever reads finds the old content or the new one, after a crash too."""
    new = path.with_name(f".{path.name}.new")
    try:
        try:
            file = new.open("wb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = new.open("wb")
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise StoreUnavailableError(f"{path} cannot be written ({error}): check the disk and its permissions") from error
