"""Make a ledger of a whole copy: the same events at the same positions, with the same versions, moments, identities and root.

The copy is verified before anything is written, and what was written is read again and hashed. Events go in page by page, and what
stands beside them last, so a source is never told to go on behind an event that is not there. Interrupted, the same command goes on.
"""

from collections.abc import Iterator
from pathlib import Path

from ledger.interface import Beside
from ledger.ledger import Ledger
from ledger.proof.checkpoint import Opened
from ledger.proof.errors import UnprovenError
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from ledger.scan import scan, trees
from schemas.errors import NotEmptyError
from service.copies.besides import decode_beside
from service.copies.files import checked_lines, write_whole
from service.copies.reading import Told, WholeCopy


def load(ledger: Ledger, copy: WholeCopy, opened: Opened, told: Told) -> None:
    """Write a copy to an empty ledger, or go on where it was interrupted.

    ``opened`` is the checkpoint by which the copy was verified; a ledger that knows none of its own keeps it.

    Raises:
        NotEmptyError: the ledger holds something else.
    """
    recorder, there = ledger.recorder, ledger.tree()
    head, total = there.frontier.size, copy.manifest.events
    if head == 0:
        recorder.take_origin(copy.manifest.origin)
    elif there.origin != copy.manifest.origin or head > total:
        raise NotEmptyError(head)
    tree = Frontier()
    for rows in copy.pages():
        old = max(0, min(len(rows), head - tree.size))
        if old:
            tree = tree.extended(hash_row(*row[:-1]) for row in rows[:old])
            if tree.size == head and tree != there.frontier:
                raise NotEmptyError(head)
        if new := rows[old:]:
            tree = tree.extended(hash_row(*row[:-1]) for row in new)
            recorder.load(new, tree)
        told(tree.size, total)
    recorder.put_besides(_besides(copy))
    if not ledger.checkpoints(newest=1):
        ledger.keep_checkpoint(opened.checkpoint.size, opened.note.encode())


def read_again(ledger: Ledger, tree: Frontier, told: Told) -> None:
    """Hash every event as the store gives it now.

    Raises:
        UnprovenError: the store does not hold what was written to it.
    """
    found = scan(ledger.recorder, 0, tree.size, sizes=(), group=lambda *_: None, told=lambda done: told(done, tree.size))
    wrong = [f"position {one.position}: {one.what}" for one in found.wrong]
    if wrong or trees(found, {tree.size})[tree.size] != tree or ledger.tree().frontier != tree:
        raise UnprovenError(f"the store does not hold what was written to it ({'; '.join(wrong) or 'another root'}): check the disk")


def _besides(copy: WholeCopy) -> Iterator[Beside]:
    for file in copy.manifest.files_of("besides"):
        yield from map(decode_beside, checked_lines(copy.folder, file))


def put_keys(copy: WholeCopy, opened: Opened, folder: Path, signed: Path) -> int:
    """Put private keys where they sign, and beside them what was signed last; what is there already stays. Returns: how many were put."""
    files = copy.manifest.files_of("keys/")
    put = 0
    if files:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in files:
        if not (path := folder / Path(file.name).name).exists():
            write_whole(path, copy.content(file))
            put += 1
    if put and not signed.exists():
        write_whole(signed, opened.note.encode())
    return put
