"""Reference pages made from what the code already holds: commands, settings, error codes and the views' tables.

``rledger schema`` writes them beside the schemas; a test keeps the checked-in pages true.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import msgspec
from msgspec import inspect as inspection

import consumers
import ledger
import projections
import schemas
import service
from projections.registry import projections as all_projections
from projections.scoring.policy_file import shipped
from schemas.errors import REFUSALS, LedgerError
from service.settings import VARIABLES

WIDTH = 100  # characters of help
MADE = "Made by `rledger schema`; do not edit.\n"
BOOKKEEPING = """
Tables for SQL and Datasette: on SQLite in `views.db` beside the ledger, on PostgreSQL in the schema `views` of the ledger's database. Each
also has `evaluated_us` (the moment its figures are of), `due_us` (when they next change although nothing happens, null: never; the close of
the day after tells them anew), `recorded_us`, `position` (of the newest event that changed it) and `state`. A
column of JSON is text on SQLite and `json` on PostgreSQL; `->>` reads it on both. On PostgreSQL texts compare byte by byte.

`projections` says how far each table is, `parked` which relationships wait because an event failed. Rows and position are one commit.
Workers keep slices of the relationships, each in commits of its own (`progress`): a relationship's rows, in all tables, are always of one
position; different relationships may be some events apart, and `projections` tells the position that all have reached. A relationship's
slice is the one whose `first` <= the first byte of the SHA-256 of its name (0-255) < `beyond` in `slices`; PostgreSQL says
`get_byte(sha256(convert_to(relationship, 'UTF8')), 0)`.
"""


def write(folder: Path, commands: click.Group) -> int:
    """Write every page into ``folder``; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(commands)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return len(made)


def pages(commands: click.Group) -> dict[str, str]:
    """The pages by file name, Markdown. The same code, the same bytes."""
    return {"commands.md": _commands(commands), "settings.md": _settings(), "errors.md": _errors(), "views.md": _views()}


def _commands(group: click.Group) -> str:
    parts = ["# Commands\n", MADE]
    root = click.Context(group, info_name="rledger", terminal_width=WIDTH, **{**group.context_settings, "max_content_width": WIDTH})
    parts += [f"## {context.command_path}\n\n```text\n{_stripped(context.get_help())}\n```\n" for context in _leaves(root)]
    return "\n".join(parts)


def _leaves(context: click.Context) -> Iterator[click.Context]:
    """A context for each command that is no group, in the order of help."""
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name in context.command.list_commands(context):
        child = context.command.get_command(context, name)
        if child is not None and not child.hidden:
            yield from _leaves(click.Context(child, info_name=name, parent=context))


def _stripped(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def _settings() -> str:
    rows = [f"| `{one.name}` | {one.meaning} | {one.expected} | {one.default} |" for one in VARIABLES]
    return "\n".join(
        [
            "# Settings\n",
            MADE,
            "Environment variables.\n",
            "| variable | what it sets | expected | default |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _errors() -> str:
    rows = [f"| `{one.code}` | {_first_paragraph(one)} |" for one in sorted(_error_classes(), key=lambda one: one.code)]
    codes = [f"| `{code}` | {meaning} |" for code, meaning in REFUSALS.items()]
    told = (
        "A message that cannot become a touchpoint is kept as a dead letter with one of these codes, in the order they are checked. "
        "`rledger deadletters show` says what is wrong with it, `rledger deadletters replay` takes it corrected."
    )
    head = ["# Errors\n", MADE, "Codes are permanent.\n", "| code | what it means, and what to do |", "| --- | --- |"]
    return "\n".join([*head, *rows, "", "## Refusals\n", f"{told}\n", "| code | what is wrong |", "| --- | --- |", *codes, ""])


def _error_classes() -> set[type[LedgerError]]:
    for package in (schemas, ledger, projections, consumers, service):
        _import_all(package)
    found: set[type[LedgerError]] = set()
    waiting = [LedgerError]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            if "code" in vars(one):
                found.add(one)
    return found


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)


def _first_paragraph(one: type) -> str:
    return " ".join((inspect.getdoc(one) or "").split("\n\n")[0].split()).replace("``", "`")


def _views() -> str:
    parts = ["# Views\n", MADE, BOOKKEEPING.lstrip()]
    for one in all_projections(shipped()):
        rows = [f"| `{field.name}` | {_type(field.type)} |" for field in msgspec.structs.fields(one.row)]
        parts += [f"## {one.name}\n\n{_first_paragraph(one.row)}\n", "| column | type |", "| --- | --- |", *rows, ""]
    return "\n".join(parts)


PLAIN = {inspection.StrType: "str", inspection.IntType: "int", inspection.FloatType: "float", inspection.BoolType: "bool"}


def _type(annotation: object) -> str:
    """What stands in a column, as people read it: the values where there are only some, JSON where there may be more than one."""
    found = inspection.type_info(annotation)
    types = found.types if isinstance(found, inspection.UnionType) else (found,)
    null = ", or null" if any(isinstance(one, inspection.NoneType) for one in types) else ""
    match [one for one in types if not isinstance(one, inspection.NoneType)]:
        case [inspection.LiteralType(values=values)]:
            return ", ".join(f"`{value}`" for value in values) + null
        case [one] if type(one) in PLAIN:
            return PLAIN[type(one)] + null
    return "JSON"
