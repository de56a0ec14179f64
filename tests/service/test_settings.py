"""Settings are checked once; the message names the variable and says what is expected."""

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from service.settings import VARIABLES, read
from tests.service.commands import Rledger


def test_nothing_needs_to_be_set() -> None:
    settings = read({"HOME": "/home/somebody"})
    assert settings.data.name == "rledger"
    assert settings.store == f"sqlite:///{settings.data}/ledger.db"
    assert settings.kafka is None


def test_an_empty_variable_counts_as_not_given() -> None:
    assert read({variable.name: " " for variable in VARIABLES}) == read({})


def test_the_data_folder_may_be_relative_and_hold_any_character(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read({"RLEDGER_DATA": "my data?"}).store == f"sqlite:///{tmp_path}/my%20data%3F/ledger.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RLEDGER_STORE", "ledger.db"),
        ("RLEDGER_STORE", "mysql://localhost/x"),
        ("RLEDGER_KAFKA", "localhost"),
        ("RLEDGER_KAFKA", "localhost:9092,"),
        ("RLEDGER_TOPIC", "no spaces"),
        ("RLEDGER_GROUP", "no/slashes"),
        ("RLEDGER_DEADLETTERS", "ü"),
        ("RLEDGER_ALERTS", "https://user:secret@hooks.example/x"),
        ("RLEDGER_ALERTS", "ftp://hooks.example"),
        ("RLEDGER_LOG", "pretty"),
        ("RLEDGER_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_expected(name: str, value: str) -> None:
    (expected,) = [variable.expected for variable in VARIABLES if variable.name == name]
    with pytest.raises(SettingsError) as refused:
        read({name: value})
    assert str(refused.value) == f"{name} is {value!r}; expected {expected}"


@pytest.mark.parametrize(
    ("name", "meant"), [("RLEDGER_STOER", "RLEDGER_STORE"), ("RLEDGER_DTA", "RLEDGER_DATA"), ("RLEDGER_LOGLEVEL", "RLEDGER_LOG_LEVEL")]
)
def test_a_misspelt_name_is_told_before_another_ledger_is_written(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is no setting; did you mean {meant}\\?$"):
        read({name: "x"})


def test_a_variable_that_is_somebody_elses_hinders_nobody() -> None:
    assert read({"RLEDGER_TEST_KAFKA": "x", "RLEDGER_POSTGRES_PASSWORD": "x"}) == read({})


@pytest.mark.parametrize("value", ["https://hooks.example/services/T1?key=x", "http://127.0.0.1:8080", "relationship.alerts"])
def test_alerts_go_to_a_topic_or_a_webhook(value: str) -> None:
    assert read({"RLEDGER_ALERTS": value}).alerts == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RLEDGER_STORE", "postgres+psycopg://rledger:secret@db/rledger"),
        ("RLEDGER_KAFKA_OPTIONS", '{"sasl_plain_password": "secret"'),
        ("RLEDGER_KAFKA_OPTIONS", "[]"),
    ],
)
def test_what_may_hold_a_password_is_not_shown_where_it_is_wrong(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is .*[*][*][*]") as refused:
        read({name: value})
    assert "secret" not in str(refused.value)


def test_a_password_is_never_shown() -> None:
    settings = read({"RLEDGER_STORE": "postgresql://rledger:secret@db:5432/rledger"})
    assert settings.store_shown == "postgresql://rledger:***@db:5432/rledger"


def test_a_command_tells_a_wrong_setting_as_an_error(rledger: Rledger) -> None:
    rledger.environ["RLEDGER_KAFKA"] = "nowhere"
    done = rledger("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: RLEDGER_KAFKA is 'nowhere'; expected HOST:PORT, several with commas\n"


def test_several_ledgers_are_several_stores_and_one_of_them_may_be_meant() -> None:
    several = read({"RLEDGER_STORE": "sqlite:///my path/a.db  postgresql://db/b"})
    assert several.stores == ("sqlite:///my path/a.db", "postgresql://db/b")
    assert [(one.store, one.ledger) for one in several.each] == [("sqlite:///my path/a.db", 1), ("postgresql://db/b", 2)]
    with pytest.raises(SettingsError, match="RLEDGER_LEDGER, 1 to 2"):
        _ = several.store
    chosen = read({"RLEDGER_STORE": "sqlite:///a.db postgresql://db/b", "RLEDGER_LEDGER": "2"})
    assert chosen.store == "postgresql://db/b"
    assert chosen.each == (chosen,)


@pytest.mark.parametrize(
    ("stores", "ledger", "said"),
    [("sqlite:///a sqlite:///a", "", "twice"), ("sqlite:///a", "2", "names 1"), ("sqlite:///a", "0", "a number from 1")],
)
def test_ledgers_that_cannot_be_told_apart_or_are_not_there_are_refused(stores: str, ledger: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read({"RLEDGER_STORE": stores, "RLEDGER_LEDGER": ledger})


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_broker_at_a_port_that_cannot_be_is_refused_and_not_waited_for(port: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        read({"RLEDGER_KAFKA": f"localhost:{port}"})
