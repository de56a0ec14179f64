"""What all sections of the policy share: no number of theirs is misspelt or out of its range."""

from functools import cached_property
from typing import Annotated

import msgspec

from projections.scoring.evidence import DAY_US

Positive = Annotated[float, msgspec.Meta(gt=0)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
OpenShare = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Points = Annotated[float, msgspec.Meta(ge=0, le=100)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A table of the file; a key it does not know is an error, so that a misspelt number is not silently the default."""


class Fading(Section, frozen=True):
    """A section of what fades; its half-life is its first number, for the order of fields is part of a digest."""

    half_life_days: Positive

    @cached_property
    def half_life_us(self) -> float:
        return self.half_life_days * DAY_US
