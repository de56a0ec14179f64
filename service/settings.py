"""Settings: read from the environment once, checked, and frozen from then on.

``VARIABLES`` is the whole list; help, errors and the reference documentation are made from it.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import quote, urlsplit

import msgspec
from platformdirs import user_data_path

from schemas.errors import SettingsError

PREFIX = "RLEDGER_"
ALIKE = 0.8  # of difflib's ratio, from which one name may be meant for another
LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: what it means, its default and what it may hold, in words for people, and the test of that.

    shown: what it holds, without what is secret in it.
    """

    name: str
    meaning: str
    default: str
    expected: str
    accepts: Callable[[str], object]
    shown: Callable[[str], str] = str


class Settings(msgspec.Struct, frozen=True):
    """Everything the environment decides. ``kafka`` None: no broker. ``kafka_options``: of kafka-python, for TLS and SASL.

    ``actor`` None: whoever is logged in. ``anchor`` None: nowhere. ``stores``: one, or several ledgers that share a topic; ``ledger``:
    which of them is meant, from 1, None: none in particular. ``master_key`` and ``master_command`` None: a file in the data folder.
    ``pseudonym_key`` None: nobody here makes pseudonyms.
    """

    data: Path
    stores: tuple[str, ...]
    ledger: int | None
    kafka: str | None
    kafka_options: dict[str, Any]
    topic: str
    deadletters: str
    relayed: str
    alerts: str
    group: str
    actor: str | None
    anchor: str | None
    master_key: str | None
    master_command: str | None
    pseudonym_key: str | None
    log: LogFormat
    log_level: LogLevel

    @property
    def store(self) -> str:
        """The URL of the one ledger that is meant.

        Raises:
            SettingsError: there are several, and none was chosen.
        """
        if len(self.stores) > 1 and self.ledger is None:
            raise SettingsError(
                f"RLEDGER_STORE names {len(self.stores)} ledgers, and this is done to one:"
                f" say which with RLEDGER_LEDGER, 1 to {len(self.stores)}"
            )
        return self.stores[(self.ledger or 1) - 1]

    @property
    def each(self) -> "tuple[Settings, ...]":
        """These settings, once for each ledger that may be meant."""
        if len(self.stores) == 1 or self.ledger is not None:
            return (self,)
        return tuple(msgspec.structs.replace(self, ledger=number) for number in range(1, len(self.stores) + 1))

    @property
    def store_shown(self) -> str:
        """The store's URL as it may be printed: without a password."""
        parts = urlsplit(self.store)
        return self.store.replace(f":{parts.password}@", ":***@") if parts.password else self.store


def _is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except msgspec.DecodeError:
        return False


TOPIC, DEADLETTERS, RELAYED, ALERTS = "relationship.touchpoints", "relationship.deadletters", "relationship.ledger", "relationship.alerts"
GROUP = "rledger"

_PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"  # a port that cannot be would be asked for ever
_matches_brokers = re.compile(rf"[^\s,:]+:{_PORT}(,[^\s,:]+:{_PORT})*").fullmatch
_matches_kafka_name = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch  # Kafka's own rule for topics, good for groups too
_matches_alerts = re.compile(r"[A-Za-z0-9._-]{1,249}|https?://[^\s/@?#]+(/[^\s#]*)?").fullmatch
_matches_anchor = re.compile(r"kafka:[A-Za-z0-9._-]{1,249}|(?!kafka:).+").fullmatch
_matches_store = re.compile(r"sqlite:///.+|postgres(ql)?://.+").fullmatch
_split_stores = re.compile(r"\s+(?=(?:sqlite|postgres|postgresql)://)").split  # a path may hold spaces
_matches_number = re.compile(r"[1-9]\d{0,2}").fullmatch

_without_password = partial(re.compile(r"(?<=://).*@").sub, "***@")

VARIABLES = (
    Variable("RLEDGER_DATA", "where a SQLite ledger and its views are kept", "rledger in the user's data folder", "a folder", str),
    Variable(
        "RLEDGER_STORE",
        "the ledger's database, and its views'; what a postgresql URL leaves out libpq takes from PGPASSWORD, PGSSLMODE ...;"
        " several, with spaces between, for ledgers that share a topic",
        "sqlite:///<RLEDGER_DATA>/ledger.db",
        "sqlite:///PATH or postgresql://...",
        _matches_store,
        _without_password,
    ),
    Variable("RLEDGER_LEDGER", "which of several ledgers a command is about", "none in particular", "a number from 1", _matches_number),
    Variable("RLEDGER_KAFKA", "the Kafka brokers to ask first", "none: no broker", "HOST:PORT, several with commas", _matches_brokers),
    Variable(
        "RLEDGER_KAFKA_OPTIONS", "further options of kafka-python, for TLS and SASL", "none", "a JSON object", _is_object, lambda _: "***"
    ),
    Variable("RLEDGER_TOPIC", "where touchpoints come from", TOPIC, "a Kafka topic name", _matches_kafka_name),
    Variable("RLEDGER_DEADLETTERS", "where refused messages are published", DEADLETTERS, "a Kafka topic name", _matches_kafka_name),
    Variable(
        "RLEDGER_LEDGER_TOPIC",
        "where `rledger relay` publishes committed events; one of each ledger's own",
        RELAYED,
        "a Kafka topic name",
        _matches_kafka_name,
    ),
    Variable(
        "RLEDGER_ALERTS",
        "where alerts are delivered, each once: a topic, or a webhook that each is posted to as JSON",
        ALERTS,
        "a Kafka topic name, or https://HOST/PATH",
        _matches_alerts,
    ),
    Variable("RLEDGER_GROUP", "consumers of one group share the partitions", GROUP, "a Kafka group name", _matches_kafka_name),
    Variable("RLEDGER_ACTOR", "who acts, as recorded with what is done to the ledger", "the login name", "a name", str),
    Variable("RLEDGER_ANCHOR", "where signed checkpoints go besides", "nowhere", "a file, or kafka:TOPIC", _matches_anchor),
    Variable(
        "RLEDGER_MASTER_KEY",
        "what wraps the keys of personal data (docs/privacy.md); after a rotation the new one, then the old one",
        "keys/master in the data folder",
        "32 bytes in base64, several with spaces",
        str,  # told where it is used, for an error here would show it
    ),
    Variable("RLEDGER_MASTER_KEY_COMMAND", "a command that prints it, such as a key vault's", "none", "a shell command", str),
    Variable(
        "RLEDGER_PSEUDONYM_KEY",
        "the secret by which `rledger import` and `rledger pseudonym` put pseudonyms in place of addresses and names (docs/privacy.md)",
        "none: no pseudonyms",
        "32 bytes in base64",
        str,  # as with the master key
    ),
    Variable(
        "RLEDGER_LOG",
        "how log lines look, on stderr",
        "auto: console in a terminal, else json",
        "auto, json or console",
        get_args(LogFormat).__contains__,
    ),
    Variable(
        "RLEDGER_LOG_LEVEL", "the least level that is logged", "info", "debug, info, warning or error", get_args(LogLevel).__contains__
    ),
)


def _meant(name: str) -> str | None:
    """The setting that a name which is none may have been meant for; None for what is nobody's here."""
    known = [variable.name.removeprefix(PREFIX) for variable in VARIABLES]
    found = get_close_matches(name.removeprefix(PREFIX), known, 1, ALIKE)
    return PREFIX + found[0] if found else None


def read(environ: Mapping[str, str]) -> Settings:
    """The settings in ``environ``; an empty variable counts as not given.

    Raises:
        SettingsError: a variable holds what it may not, or its name is misspelt, so that another ledger would be meant; the message
            names it and says what is expected.
    """
    known = {variable.name for variable in VARIABLES}
    for name in environ:
        if name.startswith(PREFIX) and name not in known and (meant := _meant(name)):
            raise SettingsError(f"{name} is no setting; did you mean {meant}?")
    given = {variable.name: environ.get(variable.name, "").strip() for variable in VARIABLES}
    for variable in VARIABLES:
        value = given[variable.name]
        if value and not variable.accepts(value):
            raise SettingsError(f"{variable.name} is {variable.shown(value)!r}; expected {variable.expected}")
    data = Path(given["RLEDGER_DATA"] or user_data_path("rledger")).expanduser().absolute()
    stores = tuple(_split_stores(given["RLEDGER_STORE"] or f"sqlite:///{quote(str(data / 'ledger.db'))}"))
    if len(set(stores)) < len(stores):
        raise SettingsError("RLEDGER_STORE names a ledger twice: each has its own database")
    ledger = int(given["RLEDGER_LEDGER"]) if given["RLEDGER_LEDGER"] else None
    if ledger is not None and ledger > len(stores):
        raise SettingsError(f"RLEDGER_LEDGER is {ledger}; RLEDGER_STORE names {len(stores)}")
    return Settings(
        data=data,
        stores=stores,
        ledger=ledger,
        kafka=given["RLEDGER_KAFKA"] or None,
        kafka_options=msgspec.json.decode(given["RLEDGER_KAFKA_OPTIONS"] or "{}"),
        topic=given["RLEDGER_TOPIC"] or TOPIC,
        deadletters=given["RLEDGER_DEADLETTERS"] or DEADLETTERS,
        relayed=given["RLEDGER_LEDGER_TOPIC"] or RELAYED,
        alerts=given["RLEDGER_ALERTS"] or ALERTS,
        group=given["RLEDGER_GROUP"] or GROUP,
        actor=given["RLEDGER_ACTOR"] or None,
        anchor=given["RLEDGER_ANCHOR"] or None,
        master_key=given["RLEDGER_MASTER_KEY"] or None,
        master_command=given["RLEDGER_MASTER_KEY_COMMAND"] or None,
        pseudonym_key=given["RLEDGER_PSEUDONYM_KEY"] or None,
        log=cast("LogFormat", given["RLEDGER_LOG"] or "auto"),
        log_level=cast("LogLevel", given["RLEDGER_LOG_LEVEL"] or "info"),
    )
