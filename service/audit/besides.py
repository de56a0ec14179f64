"""What is kept beside the events: dead letters, source offsets, private keys. The tree does not cover them: sums do, and they must fit."""

from collections import defaultdict
from collections.abc import Iterator

from ledger.interface import KeptLetter
from ledger.ledger import Ledger
from ledger.proof.errors import MalformedError
from ledger.proof.keys import Signer
from ledger.scan import Wrong
from schemas.errors import REFUSAL_CODES
from service.audit.checkpoints import Checkpoints

PAGE_LETTERS = 1_000
STREAM_PARTS = 5  # of kafka/<cluster id>/<topic>/<topic id>/<partition>

Partition = tuple[str, int]


def letters_and_offsets(ledger: Ledger) -> Iterator[Wrong]:
    """All as it was written; letters numbered 1, 2, 3 ..., each marked as what it holds, replayed to an event; offsets past all read."""
    for what in ledger.altered():
        yield Wrong(None, f"the {what} are not those that the ledger wrote", "one was changed, removed, added or moved")
    head = ledger.head()
    after, read = 0, dict[Partition, int]()
    for number in ledger.unmarked_letters():
        yield Wrong(None, f"dead letter {number} is not the message that it is marked as", "it was altered after it came")
    while page := ledger.dead_letters_sealed(after=after, limit=PAGE_LETTERS):
        for kept in page:
            if kept.number != after + 1:
                yield Wrong(None, f"dead letter {after + 1} is missing, {kept.number} follows", "letters were removed, or moved")
            after = kept.number
            yield from _letter(kept, head.position)
            if kept.letter.partition is not None and kept.letter.offset is not None:
                partition = (kept.letter.origin, kept.letter.partition)
                read[partition] = max(read.get(partition, 0), kept.letter.offset + 1)
    yield from _offsets(ledger.streams(""), read)


def _letter(kept: KeptLetter, head: int) -> Iterator[Wrong]:
    if kept.letter.code not in REFUSAL_CODES:
        yield Wrong(None, f"dead letter {kept.number} was refused as {kept.letter.code!r}, which is no reason", "it was altered")
    position = kept.replayed_position
    if (kept.replayed_us is None) != (position is None) or (position is not None and not 0 < position <= head):
        what = f"dead letter {kept.number} is replayed as {position}, where no event is"
        yield Wrong(None, what, "it was altered, or events were removed")


def _offsets(streams: dict[str, int], read: dict[Partition, int]) -> Iterator[Wrong]:
    partitions: dict[Partition, list[str]] = defaultdict(list)
    for stream, offset in streams.items():
        if offset < 0:
            yield Wrong(None, f"the next offset of {stream} is {offset}", "it was altered: its source would be read wrongly")
        parts = stream.split("/")
        if len(parts) == STREAM_PARTS and parts[0] == "kafka" and parts[4].isdigit():
            partitions[parts[2], int(parts[4])].append(stream)
    for partition, expected in read.items():
        # A topic that was made anew counts from 0 again, so that letters of both cannot be told apart.
        if len(names := partitions.get(partition, [])) == 1 and streams[names[0]] < expected:
            what = f"the next offset of {names[0]} is {streams[names[0]]}, and a dead letter came from {expected - 1}"
            yield Wrong(None, what, "it was altered: its source would be read again")


def private_keys(checkpoints: Checkpoints) -> Iterator[Wrong]:
    """Private keys here that sign for this ledger, and that its log never adopted: then the log is not the one they signed for."""
    try:
        adopted = {one.vkey for one in checkpoints.keys.adopted()}
    except (MalformedError, ValueError):
        return  # told where the checkpoints are read
    for path in sorted(checkpoints.keys.folder.glob("*.key")):
        try:
            key = Signer.parse(path.read_text().strip()).key
        except (MalformedError, ValueError) as error:
            yield Wrong(None, f"{path} is no private key any more: {error}", "it was altered")
            continue
        if key.name == checkpoints.origin and key not in adopted:
            yield Wrong(
                None, f"{path} holds a key that the log never adopted", "its adoption was removed from the log, or the log is another"
            )
