"""How answers look in a terminal: the card of a relationship, the table of many, the waterfall of an explanation, a history."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from projections.answers import Dimension, ExplainedEvent, Explanation, HistoryLine, Portrait, Shown
from service.cli import drawing, output

CARD_WIDTH = 84
LABEL, TRACK, SMALL_TRACK, COURSE = 14, 28, 12, 52  # cells
NOTICES = 3  # told one by one
STEPS = 3  # next steps on a card; --json has all
HALF = 12  # cells of a bar of change, to each side

FIGURE_SHARES = 100.0  # quality is 0-100, a track 0-1
UNKNOWN = Text("·", style="bright_black")


def card(shown: Portrait, room: int) -> RenderableType:
    """One relationship at a glance, in so many cells at most."""
    width = min(CARD_WIDTH, room)
    track = max(TRACK - (CARD_WIDTH - width), SMALL_TRACK)
    facts = [shown.kind, shown.segment, shown.owner and f"owner {shown.owner}", shown.channel and f"channel {shown.channel}"]
    parts: list[RenderableType] = [Text(" · ".join(fact for fact in facts if fact), style="bright_black"), "", _verdict(shown, track)]
    parts += [*_course(shown, COURSE - (CARD_WIDTH - width)), "", _dimensions(shown.dimensions, track), ""]
    parts += [_standing(shown), *_next(shown), "", _record(shown)]
    title = Text.assemble(" ", (shown.name or shown.relationship, "bold"), " ")
    return Panel(
        Group(*parts),
        title=title,
        title_align="left",
        subtitle=Text(f" {shown.relationship} ", style="bright_black"),
        subtitle_align="right",
        box=box.ROUNDED,
        border_style="bright_black",
        padding=(1, 2),
        width=width,
    )


def _verdict(shown: Shown, track: int) -> Table:
    """Quality with its interval and trend."""
    rows = _measures(track)
    if shown.quality is None or shown.interval is None:
        rows.add_row(Text("QUALITY", "bold"), drawing.track(None, None, track), UNKNOWN, "", Text("nothing known yet", "bright_black"))
        return rows
    share, low, high = (figure / FIGURE_SHARES for figure in (shown.quality, *shown.interval))
    figure = Text(f"{shown.quality:.1f}", style=f"bold {drawing.level_style(share)}")
    between = Text(f"{shown.interval[0]:.0f} to {shown.interval[1]:.0f}", style="bright_black")
    rows.add_row(Text("QUALITY", "bold"), drawing.track(share, (low, high), track), figure, between, drawing.trend(shown.trend))
    return rows


def _course(shown: Portrait, weeks: int) -> list[RenderableType]:
    """A stroke a week, so many at most, and the day it turned with what happened in that week."""
    parts: list[RenderableType] = []
    if len(shown.course) > 1:
        grid = _facts()
        levels = [point.quality / FIGURE_SHARES for point in shown.course[-max(weeks, 1) :]]
        grid.add_row("course", Text.assemble(drawing.sparkline(levels), (f"  {len(levels)} weeks", "bright_black")))
        parts.append(grid)
    if shown.turned is not None:
        turned, grid = shown.turned, _facts()
        what = "" if turned.what == "everything together" else f" ({turned.what})"
        seen = (f", seen on {turned.seen_on}", "bright_black")
        grid.add_row("turned", Text.assemble(f"{turned.direction} on {turned.on}{what}", seen))
        happened = Counter(drawing.short(event.type) for event in turned.events)
        week = ", ".join(f"{count} {name}" if count > 1 else name for name, count in happened.items())
        grid.add_row("", Text(f"in that week: {week or 'nothing'}", style="bright_black"))
        parts.append(grid)
    return parts


def _standing(shown: Portrait) -> Table:
    """The standing, and its reasons a line each; the phase; what else there is with the same party."""
    grid = _facts()
    grid.add_row(Text("STANDING", style="bold"), drawing.standing(shown.standing))
    for reason in shown.reasons:
        grid.add_row("", reason.text)
    grid.add_row("phase", shown.phase)
    if shown.net is not None:
        quality = "" if shown.net.quality is None else f", quality {shown.net.quality:.1f} together"
        grid.add_row("net", Text.assemble(drawing.standing(shown.net.standing), quality))
        for other in shown.net.others:
            grid.add_row("", Text.assemble("also ", other.relationship, ": ", drawing.standing(other.standing)))
        grid.add_row("", shown.net.text)
    return grid


def _dimensions(dimensions: dict[str, Dimension], track: int) -> Table:
    rows = _measures(track)
    for name, one in dimensions.items():
        if one.level is None or one.interval is None:
            rows.add_row(name, drawing.track(None, None, track), UNKNOWN, "", Text("no evidence", "bright_black"))
            continue
        figure = Text(f"{one.level:.2f}", style=drawing.level_style(one.level))
        between = Text(f"{one.interval[0]:.2f} to {one.interval[1]:.2f}", style="bright_black")
        rows.add_row(name, drawing.track(one.level, one.interval, track), figure, between, Text(f"from {one.evidence:.1f}", "bright_black"))
    return rows


def _next(shown: Portrait) -> list[RenderableType]:
    """What should be done, and why."""
    if not shown.next_steps:
        return []
    grid = _facts()
    for number, step in enumerate(shown.next_steps[:STEPS]):
        grid.add_row("" if number else Text("NEXT", style="bold"), Text(f"→ {step.step}", style="cyan"))
        grid.add_row("", Text(step.why + (f" ({step.alert})" if step.alert else ""), style="bright_black"))
    return ["", grid]


def _record(shown: Portrait) -> Table:
    """Money, what is ahead, touchpoints, gaps in the data, and what moment this is told for."""
    grid = _facts()
    if shown.value is not None:
        value = shown.value
        also = "".join(f" + {drawing.money(amount, currency)}" for currency, amount in value.others.items())
        peers = "" if shown.percentile is None else f", more than {shown.percentile:.0f} % of their peers"
        grid.add_row(Text("value"), f"{drawing.money(value.amount, value.currency)}{also} recent {value.basis}{peers}")
        if value.net is not None and value.cost_to_serve is not None:
            left = drawing.money(value.net, value.currency)
            grid.add_row("", f"{left} after {drawing.money(value.cost_to_serve, value.currency)} of our work")
    if shown.ahead is not None:
        ahead = shown.ahead
        chance = f"{100.0 * ahead.probability:.0f} % to buy within {ahead.horizon_days:.0f} days, {ahead.purchases:.1f} times expected"
        grid.add_row("ahead", chance)
    grid.add_row(Text("touchpoints"), f"{shown.events:,}, from {shown.first_at[:10]} to {shown.last_at[:10]}")
    for notice in shown.notices[:NOTICES]:
        grid.add_row("notice", Text(notice.text, style="yellow"))
    if len(shown.notices) > NOTICES:
        grid.add_row("", Text(f"and {len(shown.notices) - NOTICES} more", style="yellow"))
    known = "" if shown.known_at[:16] == shown.as_of[:16] else f", as known at {drawing.minute(shown.known_at)}"
    grid.add_row(Text("as of"), Text(f"{drawing.minute(shown.as_of)} UTC{known}, position {shown.position:,}", style="bright_black"))
    return grid


def many(rows: Sequence[Shown], *, drawn: bool) -> Table:
    """Many relationships, one a line. ``drawn``: with their intervals as small tracks."""
    found = output.table(("relationship", "left"), ("name", "left"), ("segment", "left"), ("quality", "right"))
    found.cut, found.spare = ("name", "segment"), (output.SCALE, "segment", "last", "events", "value", "trend", "name")
    if drawn:
        found.add_column(output.SCALE, no_wrap=True, min_width=SMALL_TRACK)
    output.add_columns(found, ("trend", "right"), ("standing", "left"), ("value", "right"), ("events", "right"), ("last", "left"))
    for shown in rows:
        cells: list[RenderableType] = [shown.relationship, shown.name or "", shown.segment or ""]
        if shown.quality is None or shown.interval is None:
            cells.append(UNKNOWN)
            cells += [drawing.track(None, None, SMALL_TRACK)] if drawn else []
        else:
            share, low, high = (figure / FIGURE_SHARES for figure in (shown.quality, *shown.interval))
            cells.append(Text(f"{shown.quality:.1f}", style=drawing.level_style(share)))
            cells += [drawing.track(share, (low, high), SMALL_TRACK)] if drawn else []
        worth = "" if shown.value is None else drawing.money(shown.value.amount, shown.value.currency)
        found.add_row(*cells, drawing.trend(shown.trend), drawing.standing(shown.standing), worth, f"{shown.events:,}", shown.last_at[:10])
    return found


def waterfall(explanation: Explanation, limit: int) -> RenderableType:
    """From the peers' mean to the score, the ``limit`` (0: all) largest events one by one."""
    head = explanation.head
    if head.quality is None:
        return Text(f"nothing is known of {head.relationship} yet: none of its touchpoints is evidence")
    counting = [event for event in explanation.events if event.corrected is None or event.corrected.now != "withdrawn"]
    told = counting[:limit] if limit else counting
    rest = counting[len(told) :]
    largest = max((abs(event.contribution) for event in told), default=0.0)
    rows = output.table(
        *(("points", "right"), ("", "left"), ("what", "left"), ("when", "left"), ("without it", "right"), ("position", "right")),
        cut=["what"],
        spare=["", "without it"],
    )
    rows.add_row(f"{head.base:.2f}", "", Text("where its peers begin", style="bold"))
    for event in told:
        rows.add_row(*_part(event, head.quality, largest))
    if rest:
        rows.add_row(
            f"{sum(event.contribution for event in rest):+.2f}", "", Text(f"{len(rest)} smaller ones together", style="bright_black")
        )
    if abs(explanation.others.others) >= 0.005:  # noqa: PLR2004  # what would not print as 0.00
        rows.add_row(f"{explanation.others.others:+.2f}", "", Text("silence since, and what no single event did", style="bright_black"))
    rows.add_row(Text(f"{head.quality:.2f}", style="bold"), "", Text("quality", style="bold"), head.as_of[:10])
    foot = Text(
        f"policy {head.policy}; without it: the score had this touchpoint never happened; `rledger event POSITION` shows one",
        style="bright_black",
    )
    corrected = [Text(_became(event), style="bright_black") for event in explanation.events if event.corrected is not None]
    return Group(Text(head.relationship, style="bold"), "", rows, "", *corrected, foot)


def _part(event: ExplainedEvent, quality: float, largest: float) -> list[RenderableType]:
    moved = ", ".join(sorted(event.dimensions, key=lambda name: -abs(event.dimensions[name])))
    what = Text.assemble(drawing.short(event.type), (f"  {moved}", "bright_black"))
    bar = drawing.change(event.contribution, largest, HALF)
    style = "green" if event.contribution > 0 else "red"
    points = Text(f"{event.contribution:+.2f}", style=style)
    return [points, bar, what, event.occurred_at[:10], f"{quality - event.effect:.2f}", f"{event.position:,}"]


def _became(event: ExplainedEvent) -> str:
    """What a correction made of an event that is explained."""
    assert event.corrected is not None  # noqa: S101  # asked for no other
    nothing = " and counts for nothing" if event.corrected.now == "withdrawn" else ""
    what = f"the {drawing.short(event.type)} at position {event.position:,} was {event.corrected.now}{nothing}"
    return f"{what}: {event.corrected.reason} (position {event.corrected.position:,})"


class _Event(msgspec.Struct):
    """What a row of history tells of a CloudEvent."""

    id: str
    source: str
    type: str
    time: str
    data: Any = None


def events(lines: Sequence[HistoryLine]) -> Table:
    """The recorded events of one relationship, one a line; of the data what fits."""
    rows = output.table(("position", "right"), *((heading, "left") for heading in ("happened", "recorded", "type", "source", "id")))
    output.add_rest(rows, "data")
    rows.cut, rows.spare = ("id", "source"), ("recorded", "source", "id")
    for line in lines:
        event = msgspec.json.decode(line.event, type=_Event)
        moments = drawing.minute(event.time), drawing.minute(line.recorded_at)
        data = Text.assemble((_corrected(line), "yellow"), (drawing.brief(event.data), "bright_black"))
        rows.add_row(f"{line.position:,}", *moments, drawing.short(event.type), event.source, event.id, data)
    return rows


def event(relationship: str, line: HistoryLine) -> Text:
    """One event, every byte of it."""
    told = Text.assemble((f"position {line.position:,}", "bold"), f", version {line.version:,} of {relationship}")
    told.append(f", recorded {drawing.minute(line.recorded_at)} UTC\n")
    if line.corrected is not None:
        told.append(f"{line.corrected.now} by position {line.corrected.position:,}: {line.corrected.reason}\n", "yellow")
    if line.corrects is not None:
        told.append(f"corrects position {line.corrects:,}\n", "yellow")
    return told.append(msgspec.json.format(bytes(line.event), indent=2).decode())


def _corrected(line: HistoryLine) -> str:
    """What a row of history says of corrections."""
    if line.corrected is not None:
        return f"{line.corrected.now} by {line.corrected.position:,}  "
    return "" if line.corrects is None else f"corrects {line.corrects:,}  "


def _measures(track: int) -> Table:
    """Rows of a label, a track, a figure, its interval and a remark; all such grids line up."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    measures: tuple[tuple[int | None, JustifyMethod], ...] = ((LABEL, "left"), (track, "left"), (5, "right"), (12, "right"), (None, "left"))
    for width, justify in measures:
        grid.add_column(width=width, justify=justify, no_wrap=True)
    return grid


def _facts() -> Table:
    """Rows of a label and a text."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=LABEL)
    grid.add_column()
    return grid
