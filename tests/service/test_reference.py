"""The reference pages say what the code does."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from schemas.errors import RefusalCode
from service import reference
from service.cli import main
from service.settings import VARIABLES

FOLDER = Path(__file__).parents[2] / "docs/reference"
PAGES = reference.pages(main)


@pytest.mark.parametrize("name", PAGES)
def test_the_checked_in_page_is_what_the_code_makes(name: str) -> None:
    found = (FOLDER / name).read_text(encoding="utf-8")
    assert found == PAGES[name], f"docs/reference/{name} is old: run `rledger schema docs/reference`"


def codes_in_the_source() -> list[str]:
    """What every class of the five packages says is its ``code``."""
    found = []
    for package in ("schemas", "ledger", "projections", "consumers", "service"):
        for path in (FOLDER.parents[1] / package).rglob("*.py"):
            for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(one, ast.ClassDef) and one.name.endswith("Error"):
                    found += [
                        str(line.value.value)
                        for line in one.body
                        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code" and isinstance(line.value, ast.Constant)
                    ]
    return found


def test_every_error_has_a_code_of_its_own_and_each_is_there() -> None:
    codes = codes_in_the_source()
    assert len(codes) > 20
    assert len(set(codes)) == len(codes)
    for code in (*codes, *get_args(RefusalCode)):
        assert PAGES["errors.md"].count(f"| `{code}` | ") == 1, code


def test_every_setting_and_view_is_there() -> None:
    assert all(f"`{one.name}`" in PAGES["settings.md"] for one in VARIABLES)
    assert "## relationships" in PAGES["views.md"]
    assert "| `quality` | float, or null |" in PAGES["views.md"]
    assert "## rledger deadletters replay" in PAGES["commands.md"]


def test_a_column_of_a_few_words_is_told_with_them_and_is_no_json() -> None:
    page = PAGES["views.md"]
    assert "| `severity` | `critical`, `major`, `minor`, `moderate`, or null |" in page
    assert "| `reasons` | JSON |" in page
