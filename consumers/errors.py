"""Why a source must stop: going on would skip or repeat something silently. Each message says what to do."""

from schemas.errors import LedgerError


class TopicReplacedError(LedgerError):
    """The topic was deleted and created again: stored offsets mean other records now. Start again with the option named."""

    code = "topic_replaced"

    def __init__(self, topic: str, known: str, found: str) -> None:
        self.topic, self.known, self.found = topic, known, found
        super().__init__(
            f"topic {topic} has id {found}, but what was read so far has id {known}: it was deleted and created again;"
            " start with --accept-new-topic to read the new one from its beginning"
        )


class OffsetLostError(LedgerError):
    """The broker no longer has, or never had, the records at the stored offset. Start again with the option named."""

    code = "offset_lost"

    def __init__(self, topic: str, partition: int, offset: int, start: int, end: int) -> None:
        self.topic, self.partition, self.offset, self.start, self.end = topic, partition, offset, start, end
        what = (
            f"records {offset} to {start - 1} were deleted before they were read (retention)"
            if offset < start
            else f"the broker lost records it had acknowledged ({end} to {offset - 1})"
        )
        super().__init__(
            f"topic {topic}, partition {partition}: reading goes on at offset {offset}, the broker has {start} to {end - 1}: {what};"
            " start with --accept-loss to go on from the oldest record there is (those known already are recognised)"
        )


class ReplacedError(LedgerError):
    """Another consumer joined under our instance name. End this one, or give it a name of its own."""

    code = "consumer_replaced"

    def __init__(self, group: str, instance: str | None) -> None:
        self.group, self.instance = group, instance
        super().__init__(
            f"another consumer joined group {group} as instance {instance}: end this process, or start it with another --instance"
        )


class FileChangedError(LedgerError):
    """The part of a file that was read already has changed. Start again with the option named."""

    code = "file_changed"

    def __init__(self, path: str, offset: int) -> None:
        self.path, self.offset = path, offset
        super().__init__(
            f"{path}: its first {offset} bytes are not those read earlier; start with --from-start to read it from its beginning"
            " (touchpoints known already are recognised)"
        )


class MappingError(LedgerError):
    """A CSV mapping is wrong. The message names the place and says what is expected."""

    code = "bad_mapping"
