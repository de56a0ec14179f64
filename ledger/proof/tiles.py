"""The tree as files that never change: C2SP tlog-tiles, 256 hashes a tile.

A tile at level L holds nodes at height 8 L; each hash above level 0 is the root of a full tile below it. Bundles of entries, which hold the
leaves themselves, have names here and are not made. Pure functions: tiles are read through a callable and handed back to be written.

Source: c2sp.org/tlog-tiles.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

import msgspec

from ledger.proof.errors import MalformedError
from ledger.proof.merkle import Frontier, Nodes
from ledger.proof.text import HASH_BYTES, SIZE_MAX

HEIGHT = 8
WIDTH = 1 << HEIGHT
NODES_TILES = 512  # whose nodes are remembered: 8 MB, the upper tiles of 30 million leaves
LEVEL_MAX = 63
ENTRIES = -1  # the level of bundles of entries

_is_path = re.compile(r"tile/(entries|\d{1,2})/((?:x\d{3}/){0,6}\d{3})(?:\.p/(\d{1,3}))?", re.ASCII).fullmatch


class Tile(msgspec.Struct, frozen=True):
    """Which tile: its level, its index in the level from 0, and how many hashes or entries it holds, 1 to 256 (full)."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the log's URL or folder: ``tile/0/x001/x234/067``, ``tile/entries/000.p/17``."""
        *outer, last = (f"{int(group):03}" for group in f"{self.index:,}".split(","))
        level = "entries" if self.level == ENTRIES else self.level
        width = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{''.join(f'x{group}/' for group in outer)}{last}{width}"

    @property
    def leaves(self) -> range:
        """The indexes of the leaves under it."""
        width = WIDTH ** max(self.level, 0)
        return range(self.index * WIDTH * width, (self.index * WIDTH + self.width) * width)


Read = Callable[[Tile], bytes]
"""The content of a tile; may hold more hashes than asked for, where a wider or the full tile has taken its place."""


def parse_path(path: str) -> Tile:
    """Read a path that ``Tile.path`` wrote.

    Raises:
        MalformedError: it names no tile.
    """
    if match := _is_path(path):
        level, groups, width = match.groups()
        index = int(groups.replace("x", "").replace("/", ""))
        tile = Tile(ENTRIES if level == "entries" else int(level), index, WIDTH if width is None else int(width))
        if tile.path == path and tile.level <= LEVEL_MAX and tile.width and index <= SIZE_MAX:
            return tile
    raise MalformedError(f"{path[:200]!r} names no tile: see c2sp.org/tlog-tiles")


def tiles_of(size: int) -> Iterator[Tile]:
    """Every hash tile of a tree of ``size``, level by level; the last of each level may be partial."""
    for level in range(LEVEL_MAX + 1):
        full, width = divmod(size >> HEIGHT * level, WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if width:
            yield Tile(level, full, width)


def grow(old_size: int, leaf_hashes: Iterable[bytes], read: Read) -> Iterator[tuple[Tile, bytes]]:
    """The tiles to write when ``leaf_hashes`` follow the first ``old_size``; the partial tiles of ``old_size`` are read first.

    Raises:
        MalformedError: a partial tile is shorter than it should be.
    """
    level, start, hashes = 0, old_size, b"".join(leaf_hashes)
    while hashes:
        index, width = divmod(start, WIDTH)
        if width:
            hashes = _hashes(Tile(level, index, width), read) + hashes
        roots = []
        for number, at in enumerate(range(0, len(hashes), WIDTH * HASH_BYTES), index):
            content = hashes[at : at + WIDTH * HASH_BYTES]
            tile = Tile(level, number, len(content) // HASH_BYTES)
            yield tile, content
            if tile.width == WIDTH:
                roots.append(_root(content))
        level, start, hashes = level + 1, start >> HEIGHT, b"".join(roots)


def nodes(size: int, read: Read) -> Nodes:
    """The nodes of the tree of ``size`` from its tiles, those used last remembered; what proofs are made from.

    The callable raises ``MalformedError`` where a tile is shorter than it should be.
    """

    @lru_cache(NODES_TILES)
    def inner(level: int, index: int) -> list[bytes]:
        return _inner(_hashes(Tile(level, index, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH)), read))

    def node(height: int, index: int) -> bytes:
        level, rest = divmod(height, HEIGHT)
        tile, offset = divmod(index << rest, WIDTH)
        at = (offset >> rest) * HASH_BYTES
        return inner(level, tile)[rest][at : at + HASH_BYTES]

    return node


def _hashes(tile: Tile, read: Read) -> bytes:
    """Exactly the hashes of ``tile``."""
    content = read(tile)
    if len(content) < tile.width * HASH_BYTES:
        raise MalformedError(f"{tile.path} has {len(content)} bytes, not {tile.width * HASH_BYTES}: make the tiles anew from the log")
    return content[: tile.width * HASH_BYTES]


def _inner(hashes: bytes) -> list[bytes]:
    """By height above the hashes of a tile: the nodes over them that are whole, in a row. A proof needs most of them."""
    levels = [hashes]
    while len(hashes) >= 2 * HASH_BYTES:
        pairs = range(0, len(hashes) // (2 * HASH_BYTES) * 2 * HASH_BYTES, 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
        levels.append(hashes)
    return levels


def _root(hashes: bytes) -> bytes:
    """The root over hashes in a row, a power of two of them."""
    return Frontier().extended(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)).root()
