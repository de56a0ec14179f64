"""The reference pages say what the code does."""

from pathlib import Path

import pytest

from service import reference
from service.cli import main
from service.settings import VARIABLES

FOLDER = Path(__file__).parents[2] / "docs/reference"
PAGES = reference.pages(main)


@pytest.mark.parametrize("name", PAGES)
def test_the_checked_in_page_is_what_the_code_makes(name: str) -> None:
    found = (FOLDER / name).read_text(encoding="utf-8")
    assert found == PAGES[name], f"docs/reference/{name} is old: run `rledger schema docs/reference`"


def test_every_setting_error_and_view_is_there() -> None:
    assert all(f"`{one.name}`" in PAGES["settings.md"] for one in VARIABLES)
    for code in ("overtaken", "store_unavailable", "topic_replaced", "id_reused", "bad_mapping"):
        assert f"| `{code}` |" in PAGES["errors.md"]
    assert "## relationships" in PAGES["views.md"]
    assert "| `quality` | float, or null |" in PAGES["views.md"]
    assert "## rledger deadletters replay" in PAGES["commands.md"]
