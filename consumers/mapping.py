"""Rows of a CSV file into CloudEvents, by a mapping the user writes: TOML, or the same as ``key=value`` options.

```toml
[csv]                            # how the file is written; these are the defaults
delimiter = ","
quote = '"'
encoding = "utf-8"
decimal = "."                    # of {column:money} and {column:number}; the other one of . and , may part thousands, as may spaces and '
date = ""                        # strptime format of {column:date}; empty: ISO 8601
time = ""                        # the same of {column:time}
zone = "UTC"                     # of times that name none

[event]                          # CloudEvents attributes: id, source, type, subject and time are needed
id = "{order}"
source = "/import/shop"
type = "relationship.purchase.v1"
subject = "customer/{customer}"
time = "{ordered:time}"

[data]                           # as the catalogue wants it; tables and lists of tables as deep as needed
order_id = "{order}"
amount = { amount = "{total:money}", currency = "EUR" }
channel = "{channel:channel}"

[values.channel]                 # what {column:channel} turns a cell into; one not listed stays as it is
"Straße" = "shop"

[values.pleased]                 # true, false and numbers may stand there, too; then {column:pleased} is alone in its text
"ja" = true
```

``{column}`` is the cell, without the spaces around it. A kind after the colon turns it into something else: ``number`` (a JSON number,
alone in its text), ``money`` (a decimal string), ``date``, ``time``, ``bool`` (alone in its text), ``pseudonym`` (what stands for an
address, by a secret), or a table of ``[values]``. A text with an empty cell in it is left out, and so is a table all of whose cells are
empty.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from consumers.errors import MappingError

CELL = re.compile(r"\{([^{}:]+)(?::(\w+))?\}")
NEEDED = ("id", "source", "type", "subject", "time")
TRUE, FALSE = frozenset({"1", "true", "t", "yes", "y"}), frozenset({"0", "false", "f", "no", "n"})
ALONE = frozenset({"number", "bool"})  # kinds that make no text
SPACES = " \u00a0\u2009\u202f'\u2019"  # what else parts thousands: spaces of all kinds, and the apostrophe of the Swiss

Row = Mapping[str, str]
Turn = Callable[[str], Any]  # what a kind makes of a cell that is not empty; ValueError where it does not fit


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a CSV file is written."""

    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    date: str = ""
    time: str = ""
    zone: str = "UTC"


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: dict[str, str]
    csv: Form = Form()
    data: dict[str, Any] = {}
    values: dict[str, dict[str, str | bool | int | float]] = {}


class CsvMapping:
    """A mapping, checked. ``columns``: those it needs the file to have."""

    def __init__(self, document: Mapping[str, Any], pseudonym: Turn | None = None) -> None:
        """Read the mapping's tables. ``pseudonym``: makes those, where there is a secret.

        Raises:
            MappingError: the message names the place and says what is expected.
        """
        try:
            read = msgspec.convert(document, _Document)
            zone = ZoneInfo(read.csv.zone)
            narrow = b"\n".decode(read.csv.encoding, errors="replace") == "\n"
        except (msgspec.ValidationError, LookupError, ValueError) as error:
            raise MappingError(f"the mapping is wrong: {error}") from error
        if not narrow:
            raise MappingError(f"the mapping is wrong: {read.csv.encoding} ends lines with more than a byte; save the file as CSV UTF-8")
        if missing := [name for name in NEEDED if name not in read.event]:
            raise MappingError(f"the mapping's [event] lacks {', '.join(missing)}")
        self.form = read.csv
        self.columns: set[str] = set()
        self._turns: dict[str, Turn] = {**_turns(read.csv, zone), **{name: _listed(table) for name, table in read.values.items()}}
        self._alone = ALONE | {name for name, table in read.values.items() if any(not isinstance(made, str) for made in table.values())}
        if pseudonym is not None:
            self._turns["pseudonym"] = pseudonym
        self._attributes = self._rule(read.event, "event")
        self._data = self._rule(read.data, "data")

    @classmethod
    def from_toml(cls, text: str, pseudonym: Turn | None = None) -> "CsvMapping":
        """Read a mapping's TOML; raises MappingError as the class does."""
        try:
            return cls(tomllib.loads(text), pseudonym)
        except tomllib.TOMLDecodeError as error:
            raise MappingError(f"the mapping is not TOML: {error}") from error

    @classmethod
    def from_options(cls, options: Sequence[str], pseudonym: Turn | None = None) -> "CsvMapping":
        """Read ``id={order}``, ``data.amount.amount={total:money}``, ``csv.delimiter=;`` ...; a name without a table is of [event]."""
        document: dict[str, Any] = {"event": {}}
        for option in options:
            name, equals, value = option.partition("=")
            path = name.split(".") if "." in name else ["event", name]
            if not equals or not all(path):
                raise MappingError(f"{option!r} is no mapping; expected NAME=VALUE, as in id={{order}} or data.order_id={{order}}")
            table = document
            for step in path[:-1]:
                table = table.setdefault(step, {})
                if not isinstance(table, dict):
                    raise MappingError(f"{option!r}: {step} is a value already, it cannot be a table too")
            table[path[-1]] = value
        return cls(document, pseudonym)

    def event(self, row: Row) -> bytes:
        """The CloudEvent of ``row`` as structured JSON, not yet checked against the catalogue.

        Raises:
            ValueError: a cell does not fit its kind.
        """
        attributes = {"specversion": "1.0", "datacontenttype": "application/json"} | (self._attributes.make(row) or {})
        return msgspec.json.encode(attributes | {"data": self._data.make(row) or {}})

    def _rule(self, value: Any, place: str) -> "_Rule":  # noqa: ANN401  # any TOML value
        match value:
            case str():
                return self._text(value, place)
            case dict():
                return _table({name: self._rule(inner, f"{place}.{name}") for name, inner in value.items()})
            case list():
                rules = [self._rule(inner, f"{place}[{index}]") for index, inner in enumerate(value)]
                return _Rule(lambda row: [made for rule in rules if (made := rule.make(row)) is not None] or None, cells=True)
        return _Rule(lambda _row: value, cells=False)

    def _text(self, text: str, place: str) -> "_Rule":
        cells = [(match[1].strip(), match[2]) for match in CELL.finditer(text)]
        for column, kind in cells:
            if kind == "pseudonym" and kind not in self._turns:
                raise MappingError(f"{place}: {text}: no pseudonym can be made without the secret: give it as RLEDGER_PSEUDONYM_KEY")
            if kind is not None and kind not in self._turns:
                raise MappingError(f"{place}: {text}: there is no kind {kind}; there are {', '.join(sorted(self._turns))}")
            if kind in self._alone and not CELL.fullmatch(text):
                raise MappingError(f"{place}: {text}: {kind} makes no text, so {{{column}:{kind}}} must stand alone")
            self.columns.add(column)
        if not cells:
            return _Rule(lambda _row: text, cells=False)
        turns = [(column, str if kind is None else _named(column, self._turns[kind])) for column, kind in cells]
        if CELL.fullmatch(text):
            ((column, turn),) = turns
            return _Rule(lambda row: turn(cell) if (cell := row[column].strip()) else None, cells=True)
        return _Rule(_filled(CELL.sub("\0", text).split("\0"), turns), cells=True)


class _Rule(NamedTuple):
    """``make``: the value for a row, None where it is left out. ``cells``: whether it depends on the row at all."""

    make: Callable[[Row], Any]
    cells: bool


def _table(rules: Mapping[str, _Rule]) -> _Rule:
    """A table's rule: what its rules make, or None when it has cells and all are empty."""
    needy = [name for name, rule in rules.items() if rule.cells]

    def make(row: Row) -> dict[str, Any] | None:
        made = {name: value for name, rule in rules.items() if (value := rule.make(row)) is not None}
        return made if not needy or any(name in made for name in needy) else None

    return _Rule(make, bool(needy))


def _filled(parts: Sequence[str], turns: Sequence[tuple[str, Turn]]) -> Callable[[Row], str | None]:
    """``parts`` with a cell after each but the last; None when one of the cells is empty."""

    def make(row: Row) -> str | None:
        made = [parts[0]]
        for (column, turn), part in zip(turns, parts[1:], strict=True):
            cell = row[column].strip()
            if not cell:
                return None
            made += (turn(cell), part)
        return "".join(made)

    return make


def _named(column: str, turn: Turn) -> Turn:
    """``turn``, whose errors say in which column it was."""

    def named(cell: str) -> Any:  # noqa: ANN401  # as the kind has it
        try:
            return turn(cell)
        except ValueError as error:
            raise ValueError(f"column {column}: {error}") from None

    return named


def _listed(values: Mapping[str, str | bool | float]) -> Turn:
    return lambda cell: values.get(cell, cell)


def _plain(decimal: str) -> Callable[[str], str | None]:
    """What makes of a number as people write it, 1.234,50, one with a point and no more; None where it is none.

    Thousands are parted in threes (in India twos before): 12,50 is no number where the comma parts them, for it was hardly meant as 1250.
    """
    parts = f"[{re.escape(SPACES + (',' if decimal == '.' else '.'))}]"
    digits = rf"\d+|\d{{1,3}}(?:{parts}\d{{2,3}})*{parts}\d{{3}}"
    matches = re.compile(rf"([+-]?)(|{digits})(?:{re.escape(decimal)}(\d*))?((?:[eE][+-]?\d{{1,2}})?)", re.ASCII).fullmatch

    def plain(cell: str) -> str | None:
        found = matches(cell)
        if found is None or not (found[2] or found[3]):
            return None
        sign, whole, fraction, power = found.groups()
        return f"{sign}{re.sub(parts, '', whole) or '0'}{'.' if fraction else ''}{fraction or ''}{power}"

    return plain


def _turns(form: Form, zone: tzinfo) -> dict[str, Turn]:
    other = "," if form.decimal == "." else "."
    plain, otherwise = _plain(form.decimal), _plain(other)

    def money(cell: str) -> str:
        made = plain(cell)
        if made is None:
            hint = "" if otherwise(cell) is None else f"; it is one with decimal = {other!r} in the mapping's [csv]"
            raise ValueError(f"{cell!r} is no number with decimal {form.decimal!r}{hint}")
        return f"{Decimal(made):f}"

    def number(cell: str) -> int | float:
        made = money(cell)
        return float(made) if "." in made else int(made)

    def day(cell: str) -> str:
        return _read(cell, "date", form.date).date().isoformat()

    def moment(cell: str) -> str:
        made = _read(cell, "time", form.time)
        return (made if made.tzinfo else made.replace(tzinfo=zone)).isoformat()

    return {"number": number, "money": money, "date": day, "time": moment, "bool": _bool}


def _read(cell: str, kind: str, form: str) -> datetime:
    try:
        return datetime.strptime(cell, form) if form else datetime.fromisoformat(cell)  # noqa: DTZ007  # the zone comes next
    except ValueError:
        written = f"written as {form}" if form else f"of ISO 8601; say how it is written as {kind} = in the mapping's [csv]"
        raise ValueError(f"{cell!r} is no {kind} {written}") from None


def _bool(cell: str) -> bool:
    low = cell.lower()
    if low not in TRUE | FALSE:
        raise ValueError(f"{cell!r} is neither true nor false; a table under the mapping's [values] says what it means")
    return low in TRUE
