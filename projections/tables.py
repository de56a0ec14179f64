"""The table of one projection: its columns, and how rows and states become cells and come back. The SQL is in ``stores/``.

Public columns are the fields of the projection's row, the first the primary key. Beside them stand what the fold needs to go on:
``position`` of the last event folded into the row, ``recorded_us`` when that event was recorded, ``evaluated_us`` the moment the public
columns are published for, ``due_us`` when they change next although nothing happens (NULL: never), and ``state``, the fold's state in
MessagePack.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import inspect

from projections.projection import Projection
from schemas.errors import SettingsError, StoreUnavailableError

BESIDE = "__new"  # what the name of a table ends with while it is built beside the live one
BOOKKEEPING: dict[str, type] = {"evaluated_us": int, "due_us": int, "recorded_us": int, "position": int, "state": bytes}
REQUIRED = BOOKKEEPING.keys() - {"due_us"}
PLAIN: dict[type, type] = {inspect.StrType: str, inspect.IntType: int, inspect.FloatType: float, inspect.BoolType: bool}


class Table:
    """Columns and codecs of ``projection``'s table; ``beside`` for the one being built.

    kinds: of every public column the type of its cells, None for JSON text. nullable: those that may have no value.
    """

    def __init__(self, projection: Projection, *, beside: bool = False) -> None:
        fields = msgspec.structs.fields(projection.row)
        kinds = {field.name: _kind(inspect.type_info(field.type)) for field in fields}
        if taken := kinds.keys() & BOOKKEEPING.keys():
            raise ValueError(f"projection {projection.name}: column {min(taken)} belongs to the runner; name the field otherwise")
        self.indexes = [[column.strip() for column in columns.split(",")] for columns in projection.index]
        for column in chain.from_iterable(self.indexes):
            if column not in kinds:  # SQLite would take the name for a text
                raise ValueError(f"projection {projection.name} has no column {column} to index")
        self.projection, self.beside = projection, beside
        self.name = projection.name + (BESIDE if beside else "")
        self.public = tuple(kinds)
        self.key = self.public[0]
        self.nullable = {field.name for field in fields if _nullable(inspect.type_info(field.type))}
        self.kinds = kinds
        self.every = [*self.public, *BOOKKEEPING]
        self._json_at = [at for at, kind in enumerate(kinds.values()) if kind is None]
        self._decoders = [(at, decode) for at, field in enumerate(fields) if (decode := _decoder(field.type, kinds[field.name]))]
        self.encode_state: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
        self._decode_state: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.state).decode

    def encode(self, row: msgspec.Struct) -> tuple[Any, ...]:
        """The row's public columns as a store takes them."""
        values = msgspec.structs.astuple(row)
        if self._json_at:
            cells = list(values)
            for at in self._json_at:
                if cells[at] is not None:
                    cells[at] = msgspec.json.encode(cells[at]).decode()
            return tuple(cells)
        return values

    def decode(self, cells: Sequence[Any]) -> Any:  # noqa: ANN401  # the projection's row
        """The row of public columns as they were read."""
        if self._decoders:
            values = list(cells)
            for at, decode in self._decoders:
                if values[at] is not None:
                    values[at] = decode(values[at])
            cells = values
        return self.projection.row(*cells)

    def decode_state(self, key: str, blob: bytes) -> Any:  # noqa: ANN401  # the projection's state
        """The state of a row.

        Raises:
            StoreUnavailableError: another version of the state was stored. Rebuild the view.
        """
        try:
            return self._decode_state(blob)
        except msgspec.MsgspecError as error:
            raise StoreUnavailableError(
                f"view {self.projection.name}: the state of {key} cannot be read ({error}): run `rledger rebuild {self.projection.name}`"
            ) from error

    def decoders(self, names: Sequence[str]) -> list[tuple[int, Callable[[Any], Any]]]:
        """At which of some public columns cells must be decoded, and how."""
        decoders = {self.public[at]: decode for at, decode in self._decoders}
        return [(at, decoders[name]) for at, name in enumerate(names) if name in decoders]

    def cell(self, row: msgspec.Struct, column: str) -> Any:  # noqa: ANN401  # whatever the column holds
        """The value of one column of ``row`` as it is stored."""
        return self.encode(row)[self.public.index(column)]

    def known(self, column: str) -> str:
        """The public column ``column``, as SQL takes it.

        Raises:
            SettingsError: there is none of that name.
        """
        if column not in self.kinds:
            raise SettingsError(f"{self.projection.name} has no column {column!r}; it has {', '.join(self.public)}")
        return quoted(column)


def relationship_of(key: str) -> str:
    """The relationship a row belongs to: its key up to the first ``#``, a character no relationship has."""
    return key.partition("#")[0]


def quoted(name: str) -> str:
    """A table or column as SQL takes it, whatever word it is."""
    return f'"{name}"'


def _kind(type_: inspect.Type) -> type | None:
    """The type of the SQL column, None for JSON text."""
    kinds: set[type | None]
    match type_:
        case inspect.Metadata(type=inner):
            kinds = {_kind(inner)}
        case inspect.UnionType(types=types):
            kinds = {_kind(one) for one in types if not isinstance(one, inspect.NoneType)}
        case inspect.LiteralType(values=values):
            kinds = {type(value) for value in values}
        case _:
            kinds = {PLAIN.get(type(type_))}
    return kinds.pop() if len(kinds) == 1 else None


def _nullable(type_: inspect.Type) -> bool:
    return isinstance(type_, inspect.UnionType) and any(isinstance(one, inspect.NoneType) for one in type_.types)


def _decoder(type_: Any, kind: type | None) -> Callable[[Any], Any] | None:  # noqa: ANN401  # any type a field may have
    """How a cell becomes the field's value; None when it already is."""
    if kind is bool:
        return bool
    return None if kind else msgspec.json.Decoder(type_).decode
