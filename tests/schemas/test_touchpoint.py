"""Moments as integers and as text."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.touchpoint import iso, microseconds, moment

MOMENTS = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))


@given(MOMENTS)
def test_a_moment_is_written_as_python_writes_it_and_read_back_exactly(at: datetime) -> None:
    us = microseconds(at)
    assert moment(us) == at
    assert iso(us) == at.isoformat().removesuffix("+00:00") + "Z"
    assert datetime.fromisoformat(iso(us)) == at
