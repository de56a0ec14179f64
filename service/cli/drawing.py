"""Small drawings in text: a level with its interval on a track, a contribution to the left or right, the colours of standings."""

from collections.abc import Sequence

from rich.text import Text

STANDING_STYLES = {"grow": "bold green", "keep": "bold cyan", "repair": "bold yellow", "exit": "bold red", "unproven": "bold bright_black"}
POOR, FAIR = 0.45, 0.65  # levels below are drawn red, yellow; from there on green
STEADY = 1.0  # points: a trend smaller than that is drawn level
TYPE_PREFIX = "relationship."
STROKES = "▁▂▃▄▅▆▇█"
SPARK_RANGE_MIN = 0.2  # levels between the foot and the head of a sparkline at least


def level_style(level: float) -> str:
    """The colour of a level from 0 to 1."""
    return "red" if level < POOR else "yellow" if level < FAIR else "green"


def track(level: float | None, interval: tuple[float, float] | None, width: int) -> Text:
    """A line from 0 to 1 with the level as a dot and its interval as a thick stretch; empty where nothing is known."""
    if level is None or interval is None:
        return Text("─" * width, style="bright_black")
    low, dot, high = (min(int(figure * width), width - 1) for figure in (interval[0], level, interval[1]))
    style = level_style(level)
    line = Text()
    for cell in range(width):
        if cell == dot:
            line.append("●", style=f"bold {style}")
        elif low <= cell <= high:
            line.append("━", style=style)
        else:
            line.append("─", style="bright_black")
    return line


def sparkline(levels: Sequence[float]) -> Text:
    """Levels from 0 to 1, a stroke each, drawn between the lowest and the highest of them; a change of less than a fifth looks small."""
    low, high = min(levels), max(levels)
    room = max(0.0, SPARK_RANGE_MIN - (high - low)) / 2.0
    low, high = low - room, high + room
    line = Text()
    for level in levels:
        line.append(STROKES[min(int((level - low) / (high - low) * len(STROKES)), len(STROKES) - 1)], style=level_style(level))
    return line


def change(points: float, largest: float, half: int) -> Text:
    """A bar to the left (a loss) or the right (a gain) of a middle line, ``half`` cells for the ``largest`` change."""
    cells = min(round(abs(points) / largest * half), half) if largest else 0
    left = " " * (half - cells) + "█" * cells if points < 0 else " " * half
    right = "█" * cells if points > 0 else ""
    return Text.assemble((left, "red"), ("│", "bright_black"), (right.ljust(half), "green"))


def trend(points: float | None) -> Text:
    """An arrow and the points."""
    if points is None:
        return Text("·", style="bright_black")
    if abs(points) < STEADY:
        return Text(f"→ {points:+z.1f}", style="bright_black")
    return Text(f"▲ {points:+.1f}", style="green") if points > 0 else Text(f"▼ {points:+.1f}", style="red")


def standing(name: str) -> Text:
    """The standing in its colour."""
    return Text(name, style=STANDING_STYLES[name])


def minute(moment: str) -> str:
    """An ISO moment to the minute: ``2026-11-24 09:30``."""
    return moment[:16].replace("T", " ")


def short(type_: str) -> str:
    """A type's name without what all have: ``complaint-resolved``."""
    return type_.removeprefix(TYPE_PREFIX).rpartition(".v")[0] or type_


def brief(data: object) -> str:
    """The values of an event's data in a line: ``by us, amount 5929.00 EUR``; lists by their length."""
    if isinstance(data, dict):
        if data.keys() == {"amount", "currency"}:
            return f"{data['amount']} {data['currency']}"
        return ", ".join(f"{name} {brief(value)}" for name, value in data.items())
    return f"of {len(data)}" if isinstance(data, list) else str(data)


def money(amount: str, currency: str) -> str:
    """``12,400 EUR``: whole units, for a look."""
    return f"{float(amount):,.0f} {currency}"
