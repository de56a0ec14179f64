"""The sample is what newcomers see first, and holds nearly every type: each view must take all of it."""

from pathlib import Path

from projections.registry import projections
from projections.scoring.policy_file import shipped
from service.sample.generator import generate
from tests.projections.chains import House

END_US = 1_790_000_000_000_000  # 2026-09-21


def test_no_view_parks_any_relationship_of_the_sample(tmp_path: Path) -> None:
    house = House(tmp_path / "views.db")
    for told in generate(seed=1, end_us=END_US):
        house.log.add(told.subject, told.id, type_=told.type, event=told.event)
    house.catch_up(*projections(shipped()))
    assert len(house.log.events) > 20_000
    assert house.views.parked() == []
