"""Mappings: rows of a CSV file into what a publisher would have sent."""

import json

import pytest

from consumers.errors import MappingError
from consumers.mapping import NEEDED, CsvMapping
from tests.consumers.events import ORDERS, event


def mapped(options: list[str], **row: str) -> dict[str, object]:
    needed = [f"{name}=x" for name in ("id", "source", "type", "subject", "time")]
    made: dict[str, object] = json.loads(CsvMapping.from_options([*needed, *options]).event(row))
    return made


def test_kinds_make_what_the_catalogue_wants() -> None:
    made = mapped(
        ["data.n={a:number}", "data.f={b:number}", "data.yes={c:bool}", "data.day={d:date}", "data.key=c-{a}-{c}", "data.fixed=1"],
        a="1,200",
        b="0.5",
        c=" Yes ",
        d="2026-01-31",
    )
    assert made["data"] == {"n": 1200, "f": 0.5, "yes": True, "day": "2026-01-31", "key": "c-1,200-Yes", "fixed": "1"}


@pytest.mark.parametrize(
    ("decimal", "cell", "made"),
    [
        (".", "1,234,567.50", "1234567.50"),
        (".", "12,34,567", "1234567"),  # India
        (".", "-1'234.5", "-1234.5"),  # Switzerland
        (".", ".5", "0.5"),
        (".", "1.2E+3", "1200"),
        (",", "1.234,50", "1234.50"),
        (",", "1\u202f234,50", "1234.50"),  # France
        (",", "1.234", "1234"),
        (",", "99", "99"),
    ],
)
def test_a_number_is_read_as_people_write_it(decimal: str, cell: str, made: str) -> None:
    assert mapped([f"csv.decimal={decimal}", "data.m={a:money}"], a=cell)["data"] == {"m": made}


@pytest.mark.parametrize(
    ("decimal", "cell"), [(".", "12,50"), (".", "1,5"), (".", "1.234,50"), (",", "12.50"), (",", "1,234.50"), (",", "1.2.3"), (",", ".5")]
)
def test_a_number_written_with_the_other_decimal_is_told_and_never_a_hundred_times_what_was_meant(decimal: str, cell: str) -> None:
    with pytest.raises(ValueError, match=f"column a: .* is no number with decimal '{decimal}'"):
        mapped([f"csv.decimal={decimal}", "data.m={a:money}"], a=cell)


def test_a_number_that_the_other_decimal_would_read_says_so() -> None:
    with pytest.raises(ValueError, match=r"; it is one with decimal = ',' in the mapping's \[csv\]"):
        mapped(["data.m={a:money}"], a="1234,50")
    with pytest.raises(ValueError, match=r"'NaN' is no number with decimal '\.'$"):
        mapped(["data.m={a:number}"], a="NaN")


def test_a_table_of_values_gives_truth_and_numbers_too() -> None:
    mapping = CsvMapping.from_toml(
        'data = { satisfied = "{a:pleased}" }\n'
        'event = { id = "1", source = "s", type = "t", subject = "x", time = "t" }\n'
        'values.pleased = { "ja" = true, "nein" = false }'
    )
    assert json.loads(mapping.event({"a": "nein"}))["data"] == {"satisfied": False}
    with pytest.raises(MappingError, match="pleased makes no text"):
        CsvMapping({"data": {"text": "is {a:pleased}"}, "event": dict.fromkeys(NEEDED, "x"), "values": {"pleased": {"ja": True}}})


def test_what_is_empty_is_left_out_and_a_table_only_when_all_of_it_is() -> None:
    options = ["data.a={a}", "data.text=x {a} y", "data.table.a={a}", "data.table.c=EUR", "data.half.a={a}", "data.half.b={b}"]
    assert mapped(options, a=" ", b="1")["data"] == {"half": {"b": "1"}}


def test_lists_of_tables_are_made_and_empty_ones_left_out() -> None:
    mapping = CsvMapping.from_toml(
        'data = { items = [{ sku = "{s1}", quantity = "{q1:number}" }, { sku = "{s2}" }] }\n'
        'event = { id = "1", source = "s", type = "t", subject = "x", time = "t" }'
    )
    assert mapping.columns == {"s1", "q1", "s2"}
    assert json.loads(mapping.event({"s1": "a", "q1": "2", "s2": ""}))["data"] == {"items": [{"sku": "a", "quantity": 2}]}
    assert json.loads(mapping.event({"s1": "", "q1": "", "s2": ""}))["data"] == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["id={a:colour}"], "no kind colour; there are bool, date, money, number, time"),
        (["data.n=about {a:number}"], "must stand alone"),
        (["csv.delimiter=ab"], "length <= 1"),
        (["csv.delimeter=;"], "delimeter"),
        (["csv.zone=Mars/Crater"], "Mars/Crater"),
        (["csv.encoding=klingon"], "klingon"),
        (["csv.encoding=utf-16"], "utf-16"),
        (["order_id"], "expected NAME=VALUE"),
        (["data.a=1", "data.a.b=2"], "a is a value already"),
    ],
)
def test_a_wrong_mapping_is_told(options: list[str], told: str) -> None:
    with pytest.raises(MappingError, match=told):
        mapped(options, a="1")


def test_a_mapping_without_what_every_event_needs_is_told() -> None:
    with pytest.raises(MappingError, match="lacks subject, time"):
        CsvMapping.from_options(["id={a}", "source=s", "type=t"])
    with pytest.raises(MappingError, match="not TOML"):
        CsvMapping.from_toml("[csv")


def test_an_event_of_a_csv_row_is_what_a_publisher_would_have_sent() -> None:
    row = {"order": "o1", "customer": "c1", "ordered": "2026-09-20T12:00:00Z", "total": "12.50", "note": ""}
    made = json.loads(ORDERS.event(row))
    sent = event(1, id="o1", source="/import/shop", datacontenttype="application/json", time="2026-09-20T12:00:00+00:00")
    assert made == sent
