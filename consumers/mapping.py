"""Rows of a CSV file into CloudEvents, by a mapping the user writes: TOML, or the same as ``key=value`` options.

```toml
[csv]                            # how the file is written; these are the defaults
delimiter = ","
quote = '"'
encoding = "utf-8"
decimal = "."                    # of {column:money} and {column:number}; the other one of . and , separates thousands
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
```

``{column}`` is the cell, without the spaces around it. A kind after the colon turns it into something else: ``number`` (a JSON number,
alone in its text), ``money`` (a decimal string), ``date``, ``time``, ``bool`` (alone in its text), ``pseudonym`` (what stands for an
address, by a secret), or a table of ``[values]``. A text with an empty cell in it is left out, and so is a table all of whose cells are
empty.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from consumers.errors import MappingError

CELL = re.compile(r"\{([^{}:]+)(?::(\w+))?\}")
NEEDED = ("id", "source", "type", "subject", "time")
TRUE, FALSE = frozenset({"1", "true", "t", "yes", "y"}), frozenset({"0", "false", "f", "no", "n"})
ALONE = frozenset({"number", "bool"})  # kinds that make no text

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
    values: dict[str, dict[str, str]] = {}


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
            "".encode(read.csv.encoding)
        except (msgspec.ValidationError, LookupError, ValueError) as error:
            raise MappingError(f"the mapping is wrong: {error}") from error
        if missing := [name for name in NEEDED if name not in read.event]:
            raise MappingError(f"the mapping's [event] lacks {', '.join(missing)}")
        self.form = read.csv
        self.columns: set[str] = set()
        self._turns: dict[str, Turn] = {**_turns(read.csv, zone), **{name: _listed(table) for name, table in read.values.items()}}
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
            if kind in ALONE and not CELL.fullmatch(text):
                raise MappingError(f"{place}: {text}: {kind} makes no text, so {{{column}:{kind}}} must stand alone")
            self.columns.add(column)
        if not cells:
            return _Rule(lambda _row: text, cells=False)
        turns = [(column, str if kind is None else self._turns[kind]) for column, kind in cells]
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


def _listed(values: Mapping[str, str]) -> Turn:
    return lambda cell: values.get(cell, cell)


def _turns(form: Form, zone: tzinfo) -> dict[str, Turn]:
    thousands = "," if form.decimal == "." else "."

    def money(cell: str) -> str:
        plain = cell.replace(thousands, "").replace(form.decimal, ".").replace(" ", "").replace("\u00a0", "")
        try:
            return f"{Decimal(plain):f}"
        except InvalidOperation:
            raise ValueError(f"{cell!r} is no number with decimal {form.decimal!r}") from None

    def number(cell: str) -> int | float:
        plain = money(cell)
        return float(plain) if "." in plain else int(plain)

    def day(cell: str) -> str:
        return (datetime.strptime(cell, form.date).date() if form.date else date.fromisoformat(cell)).isoformat()  # noqa: DTZ007  # a day

    def moment(cell: str) -> str:
        made = datetime.strptime(cell, form.time) if form.time else datetime.fromisoformat(cell)  # noqa: DTZ007  # the zone comes next
        return (made if made.tzinfo else made.replace(tzinfo=zone)).isoformat()

    return {"number": number, "money": money, "date": day, "time": moment, "bool": _bool}


def _bool(cell: str) -> bool:
    low = cell.lower()
    if low not in TRUE | FALSE:
        raise ValueError(f"{cell!r} is neither true nor false")
    return low in TRUE
