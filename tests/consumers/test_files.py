"""Files as sources: resumed at any point, changed under our feet, quoted in every way."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errors import FileChangedError, MappingError
from consumers.files import LINE_BYTES_MAX, Csv, FileSource, Format, JsonLines, Row
from consumers.intake import Tally, run, take
from consumers.mapping import CsvMapping
from ledger.ledger import Ledger
from schemas.errors import NotFoundError
from tests.consumers.events import NOW_US, ORDERS, structured

HEADER = "order,customer,ordered,total,note\n"


def import_(ledger: Ledger, path: Path, form: Format | None = None, **options: object) -> Tally:
    source = FileSource(path, form or JsonLines(), ledger, **options)  # type: ignore[arg-type]
    try:
        return run(source, ledger, clock=lambda: NOW_US)
    finally:
        source.close()


def ids(ledger: Ledger) -> list[str]:
    return [json.loads(stored.event)["id"] for stored in ledger.read(after=0, limit=10_000)]


def data(ledger: Ledger) -> list[dict[str, object]]:
    return [json.loads(stored.event)["data"] for stored in ledger.read(after=0, limit=10_000)]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Twenty lines: one bad, one repeated, two empty."""
    content = [structured(number) for number in range(20)]
    content[4], content[9], content[14], content[15] = b"{", structured(8), b"", b"   "
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(content) + b"\n")
    return path


EXPECTED = [f"e{number}" for number in range(20) if number not in {4, 9, 14, 15}]


def test_every_line_becomes_an_event_or_a_dead_letter_with_its_place(lines: Path, ledger: Ledger) -> None:
    told: list[int] = []
    assert import_(ledger, lines, progress=told.append) == Tally(appended=16, duplicates=1, refused=1, position=16)
    assert ids(ledger) == EXPECTED
    (kept,) = ledger.dead_letters(limit=9)
    assert (kept.letter.origin, kept.letter.offset, kept.letter.body) == (str(lines), lines.read_bytes().index(b"{\n"), b"{")
    assert told == [lines.stat().st_size]


@pytest.mark.parametrize("crash", range(20))
@pytest.mark.parametrize("acknowledged", [True, False], ids=["after the commit", "before the commit"])
def test_after_a_crash_at_any_line_the_rest_is_read_and_nothing_twice(crash: int, acknowledged: bool, lines: Path, ledger: Ledger) -> None:
    source = FileSource(lines, JsonLines(), ledger)
    for _ in range(crash):
        batch = source.poll(1, 1)
        if batch is not None:
            take(batch, source, ledger, NOW_US)
    if not acknowledged:
        source.poll(1, 3)  # taken, never appended
    source.close()
    before = ledger.head().position
    tally = import_(ledger, lines)
    if before < len(EXPECTED):
        assert tally.appended == len(EXPECTED) - before
    assert ids(ledger) == EXPECTED
    assert len(ledger.dead_letters(limit=9)) == 1


@given(st.lists(st.integers(1, 7), min_size=1, max_size=30), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_a_csv_of_any_shape_is_read_whole_in_batches_of_any_size(sizes: list[int], final_newline: bool, newline: str) -> None:
    notes = ["plain", "two\nlines", 'a "quoted" word', "", "comma, comma", "ünï\r\ncode", '"\n"', "\n\n"]
    rows = [[f"o{n}", f"c{n % 5}", "2026-09-20T12:00:00Z", "12.50", notes[n % len(notes)]] for n in range(40)]
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([HEADER.strip().split(","), *rows])
    content = text.getvalue() if final_newline else text.getvalue()[: -len(newline)]
    with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/ledger.db", clock=lambda: NOW_US) as ledger:
        path = Path(folder) / "orders.csv"
        path.write_bytes(content.encode())
        for size in sizes:  # each by a process of its own
            source = FileSource(path, Csv(ORDERS), ledger)
            batch = source.poll(1, size)
            if batch is not None and ledger.head().position < len(rows):
                take(batch, source, ledger, NOW_US)
            source.close()
        if ledger.head().position < len(rows):
            import_(ledger, path, Csv(ORDERS))
        assert ids(ledger) == [row[0] for row in rows]
        assert [row.get("note", "") for row in data(ledger)] == [row[4].strip() for row in rows]


def test_a_file_that_has_grown_goes_on_where_it_ended(lines: Path, ledger: Ledger) -> None:
    import_(ledger, lines)
    with lines.open("ab") as file:
        file.write(structured(100) + b"\n" + structured(101))
    assert import_(ledger, lines) == Tally(appended=2, position=18)


def test_a_file_read_whole_before_is_recognised_line_by_line(lines: Path, ledger: Ledger) -> None:
    import_(ledger, lines)
    assert import_(ledger, lines) == Tally(duplicates=17, refused=1, position=16)
    assert ids(ledger) == EXPECTED
    assert len(ledger.dead_letters(limit=9)) == 1


def test_a_file_that_was_moved_goes_on(lines: Path, ledger: Ledger) -> None:
    source = FileSource(lines, JsonLines(), ledger)
    batch = source.poll(1, 10)
    assert batch is not None
    take(batch, source, ledger, NOW_US)
    source.close()
    assert import_(ledger, lines.rename(lines.with_name("moved"))).appended == 8


@pytest.mark.parametrize(
    "change", [lambda content: content.replace(b'"o1"', b'"o2"'), lambda content: content[:900]], ids=["changed", "cut"]
)
def test_a_file_that_changed_where_it_was_read_stops_until_it_is_read_from_its_start(
    change: Callable[[bytes], bytes], lines: Path, ledger: Ledger
) -> None:
    source = FileSource(lines, JsonLines(), ledger)
    batch = source.poll(1, 10)
    assert batch is not None
    take(batch, source, ledger, NOW_US)
    source.close()
    lines.write_bytes(change(lines.read_bytes()))
    with pytest.raises(FileChangedError, match="--from-start"):
        import_(ledger, lines)
    tally = import_(ledger, lines, from_start=True)
    assert tally.duplicates >= 2
    assert ledger.streams("file/")


def test_two_who_read_the_same_file_append_it_once(lines: Path, ledger: Ledger) -> None:
    first, second = FileSource(lines, JsonLines(), ledger), FileSource(lines, JsonLines(), ledger)
    late = second.poll(1, 100)
    batch = first.poll(1, 5)
    assert late is not None
    assert batch is not None
    take(batch, first, ledger, NOW_US)
    second.rewind()
    run(second, ledger, clock=lambda: NOW_US)
    run(first, ledger, clock=lambda: NOW_US)
    first.close()
    second.close()
    assert ids(ledger) == EXPECTED


def test_a_byte_order_mark_and_a_missing_last_newline_do_no_harm(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + structured(0) + b"\r\n" + structured(1))
    assert import_(ledger, path).appended == 2
    path = tmp_path / "orders.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}o1,c1,2026-09-20,1,".encode())
    assert import_(ledger, path, Csv(ORDERS)).appended == 1


def test_an_endless_line_is_a_dead_letter_of_bounded_size(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "array.json"
    path.write_bytes(b"[" + b"1," * (2 * LINE_BYTES_MAX) + b"1]\n" + structured(1) + b"\n")
    assert import_(ledger, path) == Tally(appended=1, refused=1, position=1)
    (kept,) = ledger.dead_letters(limit=9)
    assert kept.letter.code == "too_large"
    assert len(kept.letter.body or b"") == LINE_BYTES_MAX


def test_an_empty_file_and_one_of_empty_lines_are_at_their_end(tmp_path: Path, ledger: Ledger) -> None:
    for content in (b"", b"\n\n  \n"):
        (tmp_path / "empty").write_bytes(content)
        assert import_(ledger, tmp_path / "empty") == Tally()


def test_a_missing_file_is_told(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="No such file"):
        import_(ledger, tmp_path / "nowhere")


# CSV


def rows_of(tmp_path: Path, content: bytes, ledger: Ledger, mapping: CsvMapping = ORDERS) -> list[Row]:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    source = FileSource(path, Csv(mapping), ledger)
    batch = source.poll(1, 100)
    source.close()
    assert batch is not None
    assert b"".join(row.raw for row in batch.messages) == content[batch.messages[0].offset :]
    assert all(row.raw == content[row.offset : row.end] for row in batch.messages)
    return list(batch.messages)


def test_broken_quoting_costs_the_line_it_is_in_and_no_other(tmp_path: Path, ledger: Ledger) -> None:
    notes = ['"fine"', '"broken"x', "fine", '"never closed', "fine"]
    content = HEADER.encode() + "".join(f"{number},c,2026-09-20,1,{note}\n" for number, note in enumerate(notes, 1)).encode()
    rows = rows_of(tmp_path, content, ledger)
    assert [(row.raw[:1], bool(row.problem)) for row in rows] == [(b"1", False), (b"2", True), (b"3", False), (b"4", True), (b"5", False)]
    assert import_(ledger, tmp_path / "rows.csv", Csv(ORDERS)) == Tally(appended=3, refused=2, position=3)
    letters = [kept.letter for kept in ledger.dead_letters(limit=9)]
    assert {letter.code for letter in letters} == {"bad_data"}
    assert letters[0].body == b'2,c,2026-09-20,1,"broken"x\n'


def test_a_row_of_another_length_and_one_in_another_encoding_are_refused(tmp_path: Path, ledger: Ledger) -> None:
    content = HEADER.encode() + b"1,c\n2,c,2026-09-20,1,M\xfcller\n3,c,2026-09-20,1,ok\n"
    (tmp_path / "orders.csv").write_bytes(content)
    assert import_(ledger, tmp_path / "orders.csv", Csv(ORDERS)) == Tally(appended=1, refused=2, position=1)
    assert [kept.letter.reason for kept in ledger.dead_letters(limit=9)] == ["the row has 2 cells, the header 5", "the row is not utf-8"]


def test_a_cell_that_does_not_fit_its_kind_is_refused_with_the_reason(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "orders.csv").write_text(f"{HEADER}1,c,2026-09-20,much,\n2,c,yesterday,1,\n3,not a key,2026-09-20,1,\n")
    assert import_(ledger, tmp_path / "orders.csv", Csv(ORDERS)).refused == 3
    letters = [kept.letter for kept in ledger.dead_letters(limit=9)]
    assert letters[0].reason == "column total: 'much' is no number with decimal '.'"
    assert letters[1].reason.startswith("column ordered: 'yesterday' is no time of ISO 8601; say how it is written as time =")
    assert [letter.code for letter in letters] == ["bad_data", "bad_data", "bad_subject"]


def test_a_file_without_the_columns_the_mapping_needs_is_told_before_anything_is_read(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "orders.csv").write_text("order,total,when\n1,2,3\n")
    with pytest.raises(MappingError, match="no column customer, note, ordered; it has order, total, when"):
        import_(ledger, tmp_path / "orders.csv", Csv(ORDERS))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(MappingError, match="it is empty"):
        import_(ledger, tmp_path / "empty.csv", Csv(ORDERS))


def test_a_latin1_file_with_semicolons_and_commas_is_read_as_its_mapping_says(tmp_path: Path, ledger: Ledger) -> None:
    mapping = CsvMapping.from_toml(
        """
        [csv]
        delimiter = ";"
        encoding = "latin-1"
        decimal = ","
        time = "%d.%m.%Y %H:%M"
        zone = "Europe/Berlin"
        [event]
        id = "{Nr}"
        source = "/laden"
        type = "relationship.purchase.v1"
        subject = "customer/{Kunde}"
        time = "{Am:time}"
        [data]
        order_id = "{Nr}"
        amount = { amount = "{Betrag:money}", currency = "EUR" }
        margin = { amount = "{Marge:money}", currency = "EUR" }
        channel = "{Weg:weg}"
        [values.weg]
        "Straße" = "shop"
        """
    )
    (tmp_path / "orders.csv").write_bytes("Nr;Kunde;Am;Betrag;Marge;Weg\n1;c1;20.09.2026 14:30;1.234,50;;Straße\n".encode("latin-1"))
    assert import_(ledger, tmp_path / "orders.csv", Csv(mapping)).appended == 1
    (stored,) = ledger.read(after=0, limit=9)
    made = json.loads(stored.event)
    assert made["time"] == "2026-09-20T14:30:00+02:00"
    assert made["data"] == {"order_id": "1", "amount": {"amount": "1234.50", "currency": "EUR"}, "channel": "shop"}


def test_rows_of_empty_cells_are_passed_over_as_spreadsheets_leave_them_at_the_end(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "orders.csv").write_text(f",,,,\n{HEADER}1,c,2026-09-20,1,\n , ,,,\n2,c,2026-09-20,1,\n,,,,\n,,,,\n")
    assert import_(ledger, tmp_path / "orders.csv", Csv(ORDERS)) == Tally(appended=2, position=2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEADER.replace(",", ";").encode(), "is ';' its delimiter"),
        (HEADER.encode("utf-16"), "it is UTF-16; save it as CSV UTF-8"),
        ("Größe\n".encode("latin-1"), r"is not utf-8; say how the file is written in the mapping's \[csv\]"),
        (f"total,{HEADER}".encode(), "several columns total"),
    ],
)
def test_a_header_that_cannot_be_meant_is_told_with_what_to_do(tmp_path: Path, ledger: Ledger, content: bytes, told: str) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    with pytest.raises(MappingError, match=told):
        import_(ledger, tmp_path / "orders.csv", Csv(ORDERS))
