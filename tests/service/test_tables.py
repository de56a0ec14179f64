"""Tables in a narrow terminal, in a pipe, and with names as people have them."""

import json
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from service.cli import drawing, output
from tests.service.commands import Rledger

NARROW = 80  # columns, as terminals open


def drawn(table: output.Rows, width: int) -> list[str]:
    console = Console(width=width, force_terminal=True, no_color=True, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).splitlines()]


def of_three(name: str = "a name of thirty letters, or so") -> output.Rows:
    rows = output.table(("key", "left"), ("name", "left"), ("figure", "right"), cut=["name"], spare=["name"])
    rows.add_row("customer/1", name, "1,234.5")
    return rows


def test_a_table_is_whole_where_there_is_room() -> None:
    assert drawn(of_three(), 52) == [
        "key         name                              figure",
        "customer/1  a name of thirty letters, or so  1,234.5",
    ]


def test_where_there_is_little_room_texts_are_cut_and_then_columns_left_out_and_named() -> None:
    assert drawn(of_three(), 42) == ["key         name                    figure", "customer/1  a name of thirty let…  1,234.5"]
    assert drawn(of_three(), 33) == ["key         name           figure", "customer/1  a name of t…  1,234.5"]
    assert drawn(of_three(), 30) == ["key          figure", "customer/1  1,234.5", "no room for name"]


def test_what_is_wide_is_counted_in_cells() -> None:
    rows = drawn(of_three("株式会社山田製作所とその仲間たち"), 40)
    assert {cell_len(line) for line in rows} == {40}
    assert rows[1].endswith("…  1,234.5") or rows[1].endswith("…   1,234.5")


@pytest.fixture
def narrow(sampled: Rledger, monkeypatch: pytest.MonkeyPatch) -> Rledger:
    """The sample in a terminal of 80 columns."""
    monkeypatch.setattr(output, "console", lambda: Console(width=NARROW, force_terminal=True, no_color=True, markup=False, emoji=False))
    return sampled


@pytest.mark.parametrize(
    "command",
    [
        "list --limit 30",
        "show customer/vale-printing",
        "explain customer/vale-printing",
        "history customer/vale-printing",
        "alerts list",
        "partners",
        "partners partner/marl-freight",
        "reputation",
        "reputation --by segment",
        "reputation --by topic",
        "acquisition --kind customer --by channel",
        "actions",
        "policy history",
        "deadletters list",
    ],
)
def test_in_a_terminal_of_80_columns_no_figure_is_cut(narrow: Rledger, command: str) -> None:
    told = re.sub(r"\x1b\[[0-9;]*m", "", narrow(*command.split()).stdout)
    assert told
    assert max(map(cell_len, told.splitlines())) <= NARROW
    assert not re.search(r"(^|\s)[-+]?\d[\d.,]*…", told)


def test_in_a_terminal_of_80_columns_a_list_has_every_key_and_quality(narrow: Rledger) -> None:
    told = narrow("list", "--limit", "0").stdout
    for row in narrow.json("list", "--limit", "0"):
        assert any(
            row["relationship"] in line and f"{row['quality']:.1f}" in line and row["standing"] in line for line in told.splitlines()
        )


def test_in_a_pipe_nothing_is_cut(rledger: Rledger) -> None:
    name, key = "Ein sehr langer Name " * 12, "k" * 200
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "relationship.opened.v1", "subject": f"customer/{key}"}
    rledger("append", "-", stdin=json.dumps(event | {"time": "2026-01-01T00:00:00Z", "data": {"name": name.strip()}}))
    assert name.strip() in rledger("list").stdout
    (_, line) = rledger("history", f"customer/{key}").stdout.splitlines()
    assert line.endswith(name.strip())


@pytest.mark.parametrize("name", ["Müller [in Auflösung]", "[bold] GmbH", "[/x] Ltd", "Ada :fire: Cie", "株式会社 日本"])
def test_a_name_is_shown_as_it_was_written(rledger: Rledger, name: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "relationship.opened.v1", "subject": "customer/1"}
    rledger("append", "-", stdin=json.dumps(event | {"time": "2026-01-01T00:00:00Z", "data": {"name": name, "segment": name}}))
    for command in (["list"], ["show", "customer/1"], ["history", "customer/1"], ["list", "--name", name]):
        assert name in rledger(*command).stdout


def test_a_trend_that_is_nearly_nothing_has_no_minus() -> None:
    assert [drawing.trend(points).plain for points in (-0.04, 0.04, -0.06, -3.0)] == ["→ +0.0", "→ +0.0", "→ -0.1", "▼ -3.0"]
