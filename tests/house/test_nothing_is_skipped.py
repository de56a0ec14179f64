from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPPING_TESTS = """
import pytest

@pytest.mark.skip(reason="by mark")
def test_marked(): ...

def test_says_so():
    pytest.skip("in the middle")

@pytest.mark.xfail
def test_expected_to_fail():
    assert False

@pytest.mark.xfail
def test_expected_to_fail_that_passes(): ...

def test_passes(): ...
"""


@pytest.fixture
def session(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text())
    return pytester


def test_a_skipped_test_is_a_failed_one(session: pytest.Pytester) -> None:
    session.makepyfile(SKIPPING_TESTS)
    session.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, failed=3, errors=1)


def test_a_skipped_module_is_an_error(session: pytest.Pytester) -> None:
    session.makepyfile("import pytest\n\npytest.importorskip('no_such_module')\n\ndef test_never_seen(): ...")
    session.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(errors=1)
