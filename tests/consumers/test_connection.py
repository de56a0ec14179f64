"""How often brokers are asked for records."""

from consumers.connection import Pace


class Time:
    """A clock that only sleeping, and what a test does meanwhile, moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    def pass_(self, seconds: float) -> None:
        self.now_s += seconds


def test_what_comes_at_once_is_kept_apart_and_what_comes_later_waits_for_nothing() -> None:
    time = Time()
    pace = Pace(5.0, clock=time.clock, sleep=time.pass_)
    began = []
    for took in (1.0, 2.0, 7.0, 4.0, 5.0, 30.0, 0.0, 0.0):
        pace.wait()
        began.append(time.now_s)
        time.pass_(took)
    assert began == [100.0, 105.0, 110.0, 117.0, 122.0, 127.0, 157.0, 162.0]
