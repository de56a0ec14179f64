"""Tiles are those of c2sp.org/tlog-tiles, however many leaves came at once, and proofs come out of them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.errors import MalformedError
from ledger.proof.merkle import consistency_proof, inclusion_proof, tree_root, verify_consistency, verify_inclusion
from ledger.proof.tiles import ENTRIES, Tile, grow, nodes, parse_path, tiles_of
from tests.ledger.proof.logs import naive_root

SIZE = 70_000  # the specification's own example
LEAVES = [hashlib.sha256(b"%d" % n).digest() for n in range(SIZE)]


def written(*sizes: int) -> dict[Tile, bytes]:
    """The tiles of a log that grew to each of ``sizes`` in turn."""
    files: dict[Tile, bytes] = {}
    size = 0
    for next_size in sizes:
        files |= dict(grow(size, LEAVES[size:next_size], files.__getitem__))
        size = next_size
    return files


TILES = written(SIZE)
WIDEST = {(tile.level, tile.index): content for tile, content in TILES.items()}


def test_the_example_of_the_specification() -> None:
    """70,000 leaves: 273 full and a partial tile of 112, then 1 full and one of 17, then one of 1."""
    assert sorted((tile.level, tile.index, tile.width) for tile in TILES) == [
        *((0, index, 256) for index in range(273)),
        (0, 273, 112),
        (1, 0, 256),
        (1, 1, 17),
        (2, 0, 1),
    ]
    assert all(len(content) == 32 * tile.width for tile, content in TILES.items())
    assert TILES[Tile(2, 0, 1)] == naive_root(LEAVES[:65_536])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, SIZE])
def test_the_tiles_of_a_size_are_those_that_are_written(size: int) -> None:
    assert list(tiles_of(size)) == list(written(size))


def test_256_leaves_are_a_full_tile_and_a_partial_one_above() -> None:
    assert written(256) == {Tile(0, 0): b"".join(LEAVES[:256]), Tile(1, 0, 1): naive_root(LEAVES[:256])}


@given(st.lists(st.integers(0, 1_500), max_size=6))
def test_batches_do_not_matter(sizes: list[int]) -> None:
    *earlier, size = sorted([*sizes, 1_500])
    grown, at_once = written(*earlier, size), written(size)
    assert at_once.items() <= grown.items()
    for tile in grown.keys() - at_once.keys():  # the partial ones of earlier sizes
        assert tile.width < 256
        wider = next(other for other in at_once if (other.level, other.index) == (tile.level, tile.index))
        assert at_once[wider].startswith(grown[tile])


@given(st.data(), st.integers(1, SIZE))
def test_proofs_come_out_of_tiles_also_when_wider_ones_took_their_place(data: st.DataObject, size: int) -> None:
    node = nodes(size, lambda tile: WIDEST[tile.level, tile.index])
    root = tree_root(size, node)
    index, old_size = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, node), root)
    verify_consistency(old_size, tree_root(old_size, node), size, root, consistency_proof(old_size, size, node))


@pytest.mark.parametrize("size", [1, 256, 257, 1_000])
def test_the_root_from_tiles_is_that_of_the_leaves(size: int) -> None:
    assert tree_root(size, nodes(size, written(size).__getitem__)) == naive_root(LEAVES[:size])


def test_a_tile_is_read_once_a_proof() -> None:
    read: list[Tile] = []

    def remember(tile: Tile) -> bytes:
        read.append(tile)
        return TILES[tile]

    inclusion_proof(40_000, SIZE, nodes(SIZE, remember))
    assert len(read) == len(set(read)) <= 5


def test_a_tile_that_is_too_short_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"tile/0/003\.p/8 has 224 bytes, not 256"):
        list(grow(3 * 256 + 8, LEAVES[:1], lambda _: bytes(224)))
    with pytest.raises(MalformedError, match="tile/0/000 has 0 bytes"):
        nodes(300, lambda _: b"")(3, 0)


PATHS = {
    Tile(0, 0): "tile/0/000",
    Tile(0, 273, 112): "tile/0/273.p/112",
    Tile(1, 999): "tile/1/999",
    Tile(1, 1_000): "tile/1/x001/000",
    Tile(5, 1_234_067, 1): "tile/5/x001/x234/067.p/1",
    Tile(63, 1_234_067): "tile/63/x001/x234/067",
    Tile(ENTRIES, 1_234_067, 255): "tile/entries/x001/x234/067.p/255",
}


@pytest.mark.parametrize(("tile", "path"), PATHS.items())
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, 2**63 - 1), st.integers(1, 256)))
def test_every_tile_has_one_path(tile: Tile) -> None:
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1000", "tile/00/000", "tile/64/000", "tile/-1/000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/x000/000", "tile/0/001/000",
        "tile/0/x001/x000", "/tile/0/000", "tile/0/000/", "tile/data/000", "tile/0/..", "tile/0/\u0661\u0661\u0661", "tile/0/000\n",
        "tile/0/x009/x223/x372/x036/x854/x775/808", "tile/0/" + "x999/" * 2000 + "999",
    ],
)  # fmt: skip
def test_other_paths_name_no_tile(path: str) -> None:
    with pytest.raises(MalformedError, match="names no tile"):
        parse_path(path)


def test_a_tile_says_which_leaves_it_covers() -> None:
    assert Tile(0, 2).leaves == range(512, 768)
    assert Tile(0, 2, 5).leaves == Tile(ENTRIES, 2, 5).leaves == range(512, 517)
    assert Tile(1, 1, 17).leaves == range(65_536, 65_536 + 17 * 256)
