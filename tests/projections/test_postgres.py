"""What only a server can do to views: refuse, go away, be shared with others who have few rights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest

from projections.stores import postgres
from projections.views import Views
from schemas.errors import SettingsError, StoreUnavailableError
from tests.projections.chains import House, Place, Row, State, chains, from_nothing, row, table

NAME = "\N{LATIN CAPITAL LETTER Z WITH CARON}\\n"


@pytest.fixture
def place(postgres_url: str) -> Place:
    return postgres_url


@pytest.fixture
def server(postgres_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def plain(server: psycopg.Connection[tuple[Any, ...]], postgres_url: str) -> Iterator[tuple[str, str]]:
    """The name and the URL of a role that may do nothing but log in."""
    role = f"plain_{server.info.dbname}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'".encode())
    yield role, urlsplit(postgres_url)._replace(netloc=f"{role}:plain@{server.info.host}:{server.info.port}").geturl()
    server.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


@pytest.mark.parametrize("right", ["GRANT CREATE ON DATABASE {database} TO {role}", "CREATE SCHEMA views AUTHORIZATION {role}"])
def test_a_role_that_owns_its_schema_needs_no_more(server: psycopg.Connection[tuple[Any, ...]], plain: tuple[str, str], right: str) -> None:
    role, url = plain
    with pytest.raises(StoreUnavailableError, match="refuses us"):
        Views.open(url)
    server.execute(right.format(database=server.info.dbname, role=role).encode())
    house = House(url)
    house.log.add_many(50)
    house.catch_up()
    with closing(house.runner()) as runner:
        (rebuilt,) = runner.rebuild(["chains"])
    assert rebuilt.comparison is not None
    assert rebuilt.comparison.equal
    house.views.close()


def test_the_password_may_stand_in_the_environment(plain: tuple[str, str], postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(postgres_url)
    bare = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    monkeypatch.setenv("PGPASSWORD", "not-this-one")
    with pytest.raises(StoreUnavailableError, match="password authentication failed") as refused:
        Views.open(bare)
    assert "not-this-one" not in str(refused.value)
    monkeypatch.setenv("PGPASSWORD", str(parts.password))
    Views.open(bare).close()


def test_names_of_any_script_are_told_whatever_the_role_defaults_to(
    server: psycopg.Connection[tuple[Any, ...]], plain: tuple[str, str]
) -> None:
    def publish(state: State, moment_us: int) -> Row:
        return msgspec.structs.replace(row(state, moment_us), digest=NAME, last=(NAME,))

    role, url = plain
    server.execute(f"CREATE SCHEMA views AUTHORIZATION {role}".encode())
    server.execute(f"ALTER ROLE {role} SET client_encoding = LATIN1; ALTER ROLE {role} SET standard_conforming_strings = off".encode())
    house = House(url)
    house.log.add_many(20)
    house.catch_up(chains(publish=publish))
    assert {one.row.last for one in house.views.select(chains())} == {(NAME,)}
    house.views.close()


def test_who_finds_no_connection_is_told_why(
    server: psycopg.Connection[tuple[Any, ...]], plain: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    role, url = plain
    server.execute(f"CREATE SCHEMA views AUTHORIZATION {role}; ALTER ROLE {role} CONNECTION LIMIT 1".encode())
    monkeypatch.setattr(postgres, "CONNECT_S", 0.5)
    with closing(Views.open(url)) as views, psycopg.connect(url):
        with pytest.raises(StoreUnavailableError, match="too many connections for role"):
            views.holdings()
        with pytest.raises(StoreUnavailableError, match="too many connections for role"):
            Views.exist(url)


def test_tls_is_asked_for_by_the_url(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="SSL"):  # which the server of these tests does not speak
        Views.open(f"{postgres_url}?sslmode=require")
    with pytest.raises(SettingsError, match="URL is wrong"):
        Views.open(f"{postgres_url}?sslmodus=require")


def test_of_many_who_open_the_views_at_once_one_makes_them(postgres_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for views in pool.map(Views.open, [postgres_url] * 8):
            assert len(views.slices()) == 8
            views.close()


def test_a_worker_whose_connections_are_cut_goes_on_with_new_ones(house: House, server: psycopg.Connection[tuple[Any, ...]]) -> None:
    house.log.add_many(50)
    with house.views.join() as part, closing(house.runner(share=part.look())) as runner:
        runner.catch_up()
        for _ in range(3):
            house.log.add_many(10)
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            with pytest.raises(StoreUnavailableError, match="nothing was written"):
                runner.catch_up()
            runner.catch_up()
            assert len(list(house.views.select(chains()))) == 10
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_name_with_a_nul_is_shown_with_a_mark_in_its_place(house: House) -> None:
    def publish(state: State, moment_us: int) -> Row:
        return msgspec.structs.replace(row(state, moment_us), digest="a\0b", last=("a\0b",))

    house.log.add_many(20)
    house.catch_up(chains(publish=publish))
    assert house.views.parked() == []
    assert {one.row.digest for one in house.views.select(chains())} == {"a\N{REPLACEMENT CHARACTER}b"}
    assert {one.row.last for one in house.views.select(chains())} == {("a\0b",)}  # JSON can say it


def test_views_a_worker_is_just_building_are_not_built_twice(house: House) -> None:
    house.log.add_many(20)
    lock = house.views.try_lock("rebuild")
    assert lock is not None
    with lock, closing(house.runner()) as runner, pytest.raises(StoreUnavailableError, match="another rebuild is under way"):
        runner.run_once()
    house.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_server_that_is_not_there_is_told_at_once_without_the_password(postgres_url: str) -> None:
    absent = urlsplit(postgres_url)._replace(netloc="postgres:secret@127.0.0.1:1").geturl()
    with pytest.raises(StoreUnavailableError, match="refused"):
        Views.exist(absent)
    with pytest.raises(StoreUnavailableError, match=r"postgresql://127\.0\.0\.1:1/") as refused:
        Views.open(absent)
    assert "secret" not in str(refused.value)
    assert not Views.exist(postgres_url)
    Views.open(postgres_url).close()
    assert Views.exist(postgres_url)
