"""Tiles held against the hashes of the events: each byte of each file, and no file too many or too few."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ledger.proof.errors import MalformedError
from ledger.proof.text import HASH_BYTES
from ledger.proof.tiles import HEIGHT, WIDTH, Tile, grow, parse_path, tiles_of
from ledger.scan import Stretch, Wrong
from projections.tiles import Tiles


class Group(msgspec.Struct):
    """Compares the tiles of leaves in ``folder`` with the leaves' hashes, as a scan comes by them.

    differing: by position: the tile that has another hash there.
    """

    folder: Path
    differing: dict[int, str] = {}
    damaged: list[str] = []

    def __call__(self, index: int, hashes: bytes) -> None:
        for path, content in _kept(self.folder, Tile(0, index)):
            if not _agree(hashes, content):
                self._compare(path.relative_to(self.folder).as_posix(), content, index, hashes)

    def _compare(self, name: str, content: bytes, index: int, hashes: bytes) -> None:
        both = range(0, min(len(hashes), len(content) // HASH_BYTES * HASH_BYTES), HASH_BYTES)
        differing = [at for at in both if content[at : at + HASH_BYTES] != hashes[at : at + HASH_BYTES]]
        if not differing:
            self.damaged.append(name)
        for at in differing:
            self.differing.setdefault(index * WIDTH + at // HASH_BYTES + 1, name)


class TileCheck:
    """Says what is wrong with ``tiles``, from what scans found in those of leaves.

    ``head`` is the position of the newest event: the log, and so its tiles, may have grown since it was scanned. What is new is left to
    the next time.
    """

    def __init__(self, tiles: Tiles, groups: Sequence[Group], head: int) -> None:
        self.folder, self._size, self._groups, self._head = tiles.folder, tiles.size, groups, head

    def problems(self, whole: Stretch, *, logs_fault: bool) -> Iterator[Wrong]:
        """What is wrong. ``logs_fault``: the log does not fit its head or checkpoints either, so tiles that differ tell where."""
        if not (self.folder / "tile").exists():
            return
        means = "it was altered, removed or moved after it came" if logs_fault else "the tile was altered, for all else agrees"
        for group in self._groups:
            for position, name in group.differing.items():
                yield Wrong(position, f"the event is not the one that {name} was made from", means)
            yield from (Wrong(None, f"{name} is damaged", "the tile was altered") for name in group.damaged)
        yield from self._above(whole)
        yield from self._files()

    def _above(self, whole: Stretch) -> Iterator[Wrong]:
        """The tiles over the leaves', each at every width it is kept in."""
        roots = [whole.groups[at : at + HASH_BYTES] for at in range(0, len(whole.groups), HASH_BYTES)]
        for tile, content in grow(0, roots, _none):
            for path, kept in _kept(self.folder, Tile(tile.level + 1, tile.index)):
                if not _agree(content, kept):
                    what = f"{path.relative_to(self.folder)} does not follow from the events"
                    yield Wrong(None, what, "the tile was altered, or they were")

    def _files(self) -> Iterator[Wrong]:
        """Files that are missing, too short for their name, or nobody's."""
        if not self._size:
            yield Wrong(
                None, f"{self.folder / 'kept.json'} does not say how far the tiles are", "it was altered, or they are another log's"
            )
        widest: dict[tuple[int, int], int] = {}
        wrong = []
        for name, size in _files(self.folder):
            try:
                tile = parse_path(name)
            except MalformedError:
                wrong.append(Wrong(None, f"{name} is no tile", "somebody put it there"))
            else:
                widest[tile.level, tile.index] = max(tile.width, widest.get((tile.level, tile.index), 0))
                wrong += self._file(name, tile, size)
        for tile in tiles_of(self._size):
            if widest.get((tile.level, tile.index), 0) < tile.width:
                yield Wrong(None, f"{tile.path} is missing", "the tile was removed; remove the folder, and the tiles are made anew")
        yield from wrong

    def _file(self, name: str, tile: Tile, size: int) -> Iterator[Wrong]:
        end = (tile.index * WIDTH + tile.width) << HEIGHT * max(tile.level, 0)
        if tile.level < 0 or end > self._head:
            yield Wrong(None, f"{name} is of events that the log does not have", "its end was removed, or somebody put the tile there")
        elif size != tile.width * HASH_BYTES:
            yield Wrong(None, f"{name} has {size} bytes, not {tile.width * HASH_BYTES}", "the tile was altered")


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file of tiles in ``folder``, by its path there, and its bytes; but what a kill left of a file on its way."""
    for within, folders, names in os.walk(folder / "tile"):
        folders.sort()
        place = Path(within).relative_to(folder).as_posix()
        for name in sorted(names):
            if not name.endswith(".new"):
                with contextlib.suppress(FileNotFoundError):  # a full one took its place just now
                    yield f"{place}/{name}", os.stat(f"{within}/{name}").st_size  # noqa: PTH116  # a path a file takes as long again


def _kept(folder: Path, tile: Tile) -> Iterator[tuple[Path, bytes]]:
    """The files of a tile and what they hold: the full one, and every partial one."""
    full = folder / tile.path
    partial = full.with_name(f"{full.name}.p")
    for path in (full, *(partial.iterdir() if partial.is_dir() else ())):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):  # a full one took its place just now, or there is none
            yield path, path.read_bytes()


def _agree(hashes: bytes, content: bytes) -> bool:
    """Whether a tile holds the first of ``hashes``, or those and newer ones; whether it should be so long, its name tells."""
    both = min(len(hashes), len(content))
    return hashes[:both] == content[:both] and len(content) % HASH_BYTES == 0


def _none(tile: Tile) -> bytes:
    raise AssertionError(f"{tile.path}: growing from nothing reads nothing")
