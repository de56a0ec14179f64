"""The table of one projection: its columns, and every SQL statement about it.

Public columns are the fields of the projection's row, the first the primary key. Beside them stand what the fold needs to go on:
``position`` of the last event folded into the row, ``recorded_us`` when that event was recorded, ``evaluated_us`` the moment the public
columns are true for (0: not published yet, only while a table is being built), and ``state``, the fold's state in MessagePack.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import sqlite_utils
from msgspec import inspect

from projections.projection import Projection
from schemas.errors import SettingsError, StoreUnavailableError

BESIDE = "__new"  # what the name of a table ends with while it is built beside the live one
BOOKKEEPING = {"evaluated_us": int, "recorded_us": int, "position": int, "state": bytes}
PLAIN: dict[type, type] = {inspect.StrType: str, inspect.IntType: int, inspect.FloatType: float, inspect.BoolType: bool}


class Table:
    """SQL and codecs of ``projection``'s table; ``beside`` for the one being built."""

    def __init__(self, projection: Projection, *, beside: bool = False) -> None:
        fields = msgspec.structs.fields(projection.row)
        kinds = {field.name: _kind(inspect.type_info(field.type)) for field in fields}
        if taken := kinds.keys() & BOOKKEEPING.keys():
            raise ValueError(f"projection {projection.name}: column {min(taken)} belongs to the runner; name the field otherwise")
        self.indexes = [[column.strip() for column in columns.split(",")] for columns in projection.index]
        for column in chain.from_iterable(self.indexes):
            if column not in kinds:  # SQLite would take the name for a text
                raise ValueError(f"projection {projection.name} has no column {column} to index")
        self.projection = projection
        self.name = projection.name + (BESIDE if beside else "")
        self.public = tuple(kinds)
        self.key = self.public[0]
        self._kinds = kinds
        self.every = [*self.public, *BOOKKEEPING]
        self._json_at = [at for at, kind in enumerate(kinds.values()) if kind is None]
        self._decoders = [(at, decode) for at, field in enumerate(fields) if (decode := _decoder(field.type, kinds[field.name]))]
        self.encode_state: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
        self._decode_state: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.state).decode
        self._write_sql()

    def _write_sql(self) -> None:
        """All statements, once. Names of tables and columns come from our own code, values are always bound."""
        name, key = quoted(self.name), quoted(self.key)
        stored = f"{key}, state, position, recorded_us, evaluated_us"
        self.upsert = _upsert(name, key, self.every)
        self.upsert_state = _upsert(name, key, [self.key, *BOOKKEEPING])
        self.delete = f"DELETE FROM {name} WHERE {key} = ?"  # noqa: S608
        # '#' parts a relationship from the rest of a key, '$' is the next character: a range of the primary key.
        self.delete_relationship = f"DELETE FROM {name} WHERE {key} = ?1 OR ({key} >= ?1 || '#' AND {key} < ?1 || '$')"  # noqa: S608
        self.load_one = f"SELECT {stored} FROM {name} WHERE {key} = ?"  # noqa: S608
        self.load_many = f"SELECT {key}, state FROM {name} WHERE {key} IN ({{}})"  # noqa: S608  # as many marks as there are keys
        self.unpublished = f"SELECT rowid, {stored} FROM {name} WHERE rowid > ? AND evaluated_us < ? ORDER BY rowid LIMIT ?"  # noqa: S608

    def create(self, db: sqlite_utils.Database) -> None:
        """Make the empty table, without its indexes."""
        columns: dict[str, Any] = {column: kind or str for column, kind in self._kinds.items()} | BOOKKEEPING
        db.table(self.name).create(columns, pk=self.key, not_null={self.key, *BOOKKEEPING})

    def index(self, db: sqlite_utils.Database, build: int) -> None:
        """Make the indexes; ``build`` keeps their names apart from those of the table this one will replace.

        Each ends with the key, as every order does: a page is then read from the index however many rows have the same value, or none.
        """
        for columns in self.indexes:
            db.table(self.name).create_index([*columns, self.key], index_name=f"{self.projection.name}_{'_'.join(columns)}_{build}")

    def encode(self, row: msgspec.Struct) -> tuple[Any, ...]:
        """The row's public columns as SQLite takes them."""
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

    def cell(self, row: msgspec.Struct, column: str) -> Any:  # noqa: ANN401  # whatever the column holds
        """The value of one column of ``row`` as it is stored."""
        return self.encode(row)[self.public.index(column)]

    def select(
        self,
        *,
        where: Mapping[str, Any],
        order_by: str | None = None,
        descending: bool = False,
        after: tuple[Any, str] | None = None,
        limit: int | None = None,
    ) -> tuple[str, list[Any]]:
        """The SELECT of whole rows and its parameters: those matching ``where`` in the order of one column, then of the key; NULLs last.

        ``where`` is column -> value, or a list, tuple or set of values of which one must match; ``after`` the order column's value and the
        key of the last row seen.

        Raises:
            SettingsError: a column this table does not have.
        """
        tests, parameters = [], []
        for column, wanted in where.items():
            name = self._known(column)
            values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
            present = [value for value in values if value is not None]
            tests.append(f"{name} IN ({marks(len(present))})" + (f" OR {name} IS NULL" if None in values else ""))
            parameters += present
        order, key = self._known(order_by or self.key), quoted(self.key)
        direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
        if after is not None:
            value, last = after
            if value is None:
                tests.append(f"{order} IS NULL AND {key} {beyond} ?")
                parameters.append(last)
            else:
                tests.append(f"{order} {beyond} ? OR ({order} = ? AND {key} {beyond} ?) OR {order} IS NULL")
                parameters += [value, value, last]
        condition = " AND ".join(f"({test})" for test in tests) or "1"
        sql = (
            f'SELECT {", ".join(map(quoted, self.every))} FROM "{self.name}" '  # noqa: S608
            f"WHERE {condition} ORDER BY {order} {direction} NULLS LAST, {key} {direction} LIMIT ?"
        )
        return sql, [*parameters, -1 if limit is None else limit]

    def columns(self, names: Sequence[str]) -> tuple[str, list[tuple[int, Callable[[Any], Any]]]]:
        """The SELECT of some public columns and ``evaluated_us`` of every row, and how to decode which of them.

        Raises:
            SettingsError: a column this table does not have.
        """
        sql = f'SELECT {", ".join(map(self._known, names))}, evaluated_us FROM "{self.name}"'  # noqa: S608
        decoders = {self.public[at]: decode for at, decode in self._decoders}
        return sql, [(at, decoders[name]) for at, name in enumerate(names) if name in decoders]

    def _known(self, column: str) -> str:
        if column not in self._kinds:
            raise SettingsError(f"{self.projection.name} has no column {column!r}; it has {', '.join(self.public)}")
        return quoted(column)


def relationship_of(key: str) -> str:
    """The relationship a row belongs to: its key up to the first ``#``, a character no relationship has."""
    return key.partition("#")[0]


def _upsert(name: str, key: str, columns: Sequence[str]) -> str:
    names = [quoted(column) for column in columns]
    changes = ", ".join(f"{column} = excluded.{column}" for column in names if column != key)
    return (
        f"INSERT INTO {name} ({', '.join(names)}) VALUES ({marks(len(names))}) "  # noqa: S608
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


def quoted(name: str) -> str:
    """A table or column as SQL takes it, whatever word it is."""
    return f'"{name}"'


def marks(count: int) -> str:
    """So many parameters of a statement."""
    return ", ".join("?" * count)


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


def _decoder(type_: Any, kind: type | None) -> Callable[[Any], Any] | None:  # noqa: ANN401  # any type a field may have
    """How a cell becomes the field's value; None when it already is."""
    if kind is bool:
        return bool
    return None if kind else msgspec.json.Decoder(type_).decode
