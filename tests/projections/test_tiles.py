"""Tiles follow the log, survive a kill between any two files, and remember what the log was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.ledger import Ledger
from ledger.proof.errors import MalformedError, UnprovenError
from ledger.proof.tiles import Tile, tiles_of
from projections import tiles as tiles_module
from projections.tiles import Tiles
from tests.ledger.events import Clock, touchpoints


class KilledError(Exception):
    """The process ended here."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=Clock())


@pytest.fixture
def tiles(ledger: Ledger, tmp_path: Path) -> Tiles:
    return Tiles(tmp_path / "tiles", ledger)


def files(tiles: Tiles) -> dict[str, bytes]:
    return {path.relative_to(tiles.folder).as_posix(): path.read_bytes() for path in (tiles.folder / "tile").rglob("*") if path.is_file()}


def test_tiles_have_the_root_of_the_log_at_any_size_they_passed(ledger: Ledger, tiles: Tiles) -> None:
    roots, start = {}, 1
    for count in (1, 254, 1, 1, 700, 256, 3):
        ledger.append(touchpoints(count, start=start))
        start += count
        roots[start - 1] = ledger.tree().root
        assert tiles.advance(start - 1) == count
    assert {size: tiles.root(size) for size in roots} == roots
    assert set(files(tiles)) == {tile.path for tile in tiles_of(tiles.size)} | {
        Tile(0, 4, 189).path,
        Tile(1, 0, 1).path,
        Tile(1, 0, 3).path,
    }


def test_without_a_size_only_full_tiles_are_made(ledger: Ledger, tiles: Tiles) -> None:
    ledger.append(touchpoints(600))
    assert tiles.advance() == 512
    assert tiles.advance() == 0
    assert set(files(tiles)) == {"tile/0/000", "tile/0/001", "tile/1/000.p/2"}


@pytest.mark.parametrize("writes", range(0, 24, 3))
def test_a_kill_between_any_two_files_is_made_good(ledger: Ledger, tiles: Tiles, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    ledger.append(touchpoints(1_000))
    tiles.advance(300)
    monkeypatch.setattr(tiles_module, "PAGE_EVENTS", 256)
    write, left = tiles_module._replace, writes

    def killed(path: Path, content: bytes) -> None:
        nonlocal left
        if not left:
            raise KilledError
        left -= 1
        write(path, content)

    monkeypatch.setattr(tiles_module, "_replace", killed)
    try:
        tiles.advance(1_000)
    except KilledError:
        monkeypatch.setattr(tiles_module, "_replace", write)
        tiles.advance(1_000)
    assert tiles.root(1_000) == ledger.tree().root
    assert set(files(tiles)) >= {tile.path for tile in tiles_of(1_000)}


def test_a_log_that_lost_events_does_not_fit_its_tiles(ledger: Ledger, tiles: Tiles, tmp_path: Path) -> None:
    ledger.append(touchpoints(100))
    ledger.close()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=Clock()) as longer:
        longer.append(touchpoints(10, start=500))
        Tiles(tiles.folder, longer).advance(110)
    with Ledger.open(f"sqlite:///{tmp_path / 'backup.db'}", clock=Clock()) as older, pytest.raises(UnprovenError, match="older backup"):
        Tiles(tiles.folder, older).advance()


def test_another_ledgers_tiles_are_made_anew(ledger: Ledger, tiles: Tiles, tmp_path: Path) -> None:
    ledger.append(touchpoints(300))
    tiles.advance(300)
    with Ledger.open(f"sqlite:///{tmp_path / 'other.db'}", clock=Clock()) as other:
        other.append(touchpoints(10, source="other"))
        theirs = Tiles(tiles.folder, other)
        assert theirs.size == 0
        theirs.advance(10)
        assert theirs.root(10) == other.tree().root
        assert set(files(theirs)) == {"tile/0/000.p/10"}


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_damaged_tile_is_told(ledger: Ledger, tiles: Tiles, spoil: Callable[[Path], object]) -> None:
    ledger.append(touchpoints(300))
    tiles.advance(300)
    spoil(tiles.folder / "tile/0/001.p/44")
    with pytest.raises(MalformedError, match="anew"):
        tiles.root(300)
