"""``policy.toml`` as text: read, checked, completed, and written anew with other numbers and its comments kept.

A number that a file does not have is taken from the policy that ships with the program, and named: a file of an older version goes on
working when a section is added. A key nobody knows is an error, so that a misspelt number is not silently the default; only a policy that
was adopted, perhaps by a newer program, is read without what this one does not know.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from math import isclose
from typing import Any

import msgspec

from projections.scoring.policy import Policy, Standings
from schemas.errors import SettingsError

VERSION_MAX = 200  # characters, as the catalogue's ids
SHIPPED = "policy.toml"

_table = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]\s*(#.*)?")
_number = re.compile(r"(?P<key>[A-Za-z0-9_-]+)(?P<equals>\s*=\s*)(?P<value>\"[^\"]*\"|[^\s#]+)(?P<space>\s*)(?P<comment>#.*)?")
_noted = re.compile(r"(; |^)calibrated [^;]*$|^judgement$|; judgement$|^judgement; ")


class PolicyError(SettingsError):
    """A policy is wrong. The message names the file, and every number that is missing, unknown or out of range."""

    code = "bad_policy"

    def __init__(self, where: str, problems: tuple[str, ...]) -> None:
        self.where, self.problems = where, problems
        super().__init__(f"policy {where}: {'; '.join(problems)}")


class Read(msgspec.Struct, frozen=True):
    """A policy that was read. ``missing``: numbers it took from the shipped one. ``unknown``: keys that were passed over."""

    policy: Policy
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@cache
def shipped_text() -> str:
    """The file that ships with the program."""
    return (files("projections.scoring") / SHIPPED).read_text("utf-8")


@cache
def shipped() -> Policy:
    """The policy that ships with the program."""
    return read(shipped_text(), where=SHIPPED).policy


def read(text: str, *, where: str, tolerant: bool = False) -> Read:
    """The policy in ``text``.

    Args:
        text: TOML.
        where: the file's name, for messages.
        tolerant: pass over keys this program does not know.

    Raises:
        PolicyError: no TOML, or something is unknown, out of range or contradicts itself; the message names all of it.
    """
    try:
        given = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise PolicyError(where, (str(error),)) from error
    known = msgspec.toml.decode(shipped_text())
    missing, unknown = tuple(_paths(known, given)), tuple(_paths(given, known))
    if "version" in missing:
        raise PolicyError(where, ("it has no version: give it one of its own",))
    whole = _merged(known, given)
    problems = [] if tolerant else [f"{name} is no number of a policy: misspelt?" for name in unknown]
    parts: dict[str, Any] = {}
    for field in msgspec.structs.fields(Policy):
        if field.encode_name not in whole:
            continue
        try:
            parts[field.name] = msgspec.convert(whole[field.encode_name], field.type, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_named(field.encode_name, str(error)))
    if problems:
        raise PolicyError(where, tuple(problems))
    policy = Policy(**parts)
    if contradictions := tuple(_contradictions(policy)):
        raise PolicyError(where, contradictions)
    return Read(policy, missing, unknown)


def numbers(policy: Policy) -> dict[str, Any]:
    """Every number by its name in the file, ``section.key``, in the file's order; the version is none of them."""
    return dict(_leaves({name: part for name, part in msgspec.to_builtins(policy).items() if name != "version"}))


def replaced(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    """The policy with other numbers, by their names in the file; ``version`` too.

    Raises:
        msgspec.ValidationError: a number is out of range.
    """
    whole = msgspec.to_builtins(policy)
    for name, value in changes.items():
        *sections, key = name.split(".")
        part = whole
        for section in sections:
            part = part[section]
        part[key] = value
    return msgspec.convert(whole, Policy, strict=False)


def written(policy: Policy, like: str, notes: Mapping[str, str] | None = None) -> str:
    """``policy`` as a whole file: the text ``like`` with other numbers, its comments kept.

    A text that is not as the shipped one is (one number a line, under its section), or has not all numbers, gives way to the shipped text.

    Args:
        policy: what the file says when it is read.
        like: the text of another policy.
        notes: what to add to a number's comment, by its name; an earlier note gives way.
    """
    for text in (like, shipped_text()):
        found = _replaced(text, {"version": policy.version, **numbers(policy)}, notes or {})
        try:
            again = read(found, where="", tolerant=True)
        except PolicyError:
            continue
        if again.policy == policy and not again.missing and not again.unknown:
            return found
    raise ValueError("the shipped policy is written one number a line")


def _replaced(text: str, values: Mapping[str, Any], notes: Mapping[str, str]) -> str:
    lines, section = [], ""
    for line in text.splitlines():
        table, number = _table.fullmatch(line), _number.fullmatch(line)
        if table is not None:
            section = f"{table[1]}."
        name = section + number["key"] if number is not None else ""
        if number is None or name not in values:
            lines.append(line)
            continue
        value, width = _toml(values[name], number["value"]), len(number["value"] + number["space"])
        comment = (number["comment"] or "").removeprefix("#").strip()
        if name in notes:
            kept = _noted.sub("", comment)
            comment = f"{kept}; {notes[name]}" if kept else notes[name]
        gap = " " * max(1, width - len(value))  # comments stay in their column
        lines.append(f"{number['key']}{number['equals']}{value}" + (f"{gap}# {comment}" if comment else ""))
    return "\n".join(lines) + "\n"


def _toml(value: Any, before: str) -> str:  # noqa: ANN401  # whatever a policy holds
    """A value as TOML, as it was written where it is the same."""
    if isinstance(value, float):
        try:
            if float(before) == value:
                return before
        except ValueError:
            pass
        if value.is_integer():
            value = int(value)
    return msgspec.json.encode(value).decode()  # of texts, numbers and truths it is TOML too


def _contradictions(policy: Policy) -> Iterator[str]:
    if not 1 <= len(policy.version) <= VERSION_MAX:
        yield f"its version has {len(policy.version)} characters, expected 1 to {VERSION_MAX}"
    begin = policy.acquisition
    if not begin.first_days <= begin.near_days < begin.far_days:
        days = f"first_days {begin.first_days}, near_days {begin.near_days} and far_days {begin.far_days}"
        yield f"acquisition: {days} must rise in this order"
    for kind in Standings.__struct_fields__:
        dimensions, rule = getattr(policy, kind), getattr(policy.standing, kind)
        total = sum(getattr(dimensions, name).weight for name in dimensions.__struct_fields__)
        if not isclose(total, 1.0):
            yield f"the weights of the {kind} dimensions add up to {total:.4f}, not to 1"
        if not rule.exit < rule.repair < rule.grow:
            yield f"standing.{kind}: exit {rule.exit:g}, repair {rule.repair:g} and grow {rule.grow:g} must rise in this order"


def _named(section: str, problem: str) -> str:
    """What msgspec says, with the whole name of the number."""
    said, at, path = problem.partition(" - at `$")
    return f"{section}{path.removesuffix('`')}: {said[:1].lower()}{said[1:]}" if at else f"{section}: {said[:1].lower()}{said[1:]}"


def _merged(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The keys that are known, each as given where it is."""
    return {
        key: _merged(value, given[key]) if isinstance(value, dict) and isinstance(given.get(key), dict) else given.get(key, value)
        for key, value in known.items()
    }


def _paths(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The leaves, or whole tables, of ``one`` that ``other`` does not have."""
    for key, value in one.items():
        if key not in other:
            yield f"{prefix}{key}"
        elif isinstance(value, dict) and isinstance(other[key], dict):
            yield from _paths(value, other[key], f"{prefix}{key}.")


def _leaves(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
