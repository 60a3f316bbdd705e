"""The document: one file, in which everything is that the browser needs, and every text is escaped."""

import json
import re
from collections.abc import Sequence
from datetime import UTC
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

import vl_convert

from pgmrr import __version__
from pgmrr.page import charts
from pgmrr.page.drawing import figures as figures_of
from pgmrr.page.drawing import specification
from pgmrr.page.model import Card, Figure, Links, Page, Section, Switch, Table
from pgmrr.page.palette import DARK, LIGHT, declarations
from pgmrr.show import Column, Kind, Row, text_of

_HERE = Path(__file__).resolve().parent
_WORDS = (Kind.text, Kind.label)
_CLICK = "A click on a mark shows the movements behind it; the links of the table do so, too."
_ON_PAPER = 15  # columns that fit it; a wider table stays on the screen


def render(page: Page, live: Links | None = None, controls: str = "") -> str:
    """The whole document. ``live`` makes bars and cells into links; ``controls`` is HTML below the heading."""
    sections = "\n".join(_section(section, live) for section in page.sections)
    return Template(_text("page.html")).substitute(
        title=escape(page.title),
        facts=_facts(page),
        controls=controls,
        contents=_contents(page.sections),
        sections=sections or f'<p class="says">{escape(page.explanation)}</p>',
        style=f":root {{ {declarations(LIGHT)} }}\n{_text('page.css')}".replace("/* dark */", declarations(DARK)),
        config=_json(charts.CONFIG),
        vega=libraries() if figures_of(page) else "",
        script=_text("page.js"),
        version=escape(__version__),
    )


def _contents(sections: Sequence[Section]) -> str:
    """The way to the sections; of one section there is none."""
    if len(sections) < 2:
        return ""
    items = "".join(f'<li><a href="#{s.key}">{escape(s.title)}</a></li>' for s in sections)
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>'


def _facts(page: Page) -> str:
    """What opens the page: the days shown, the currency, the database, the last batch."""
    facts = [("Database", page.database), ("Currency", page.currency)]
    if page.first and page.last:
        facts.insert(0, ("MRR known and shown", f"{page.first} to {page.last}"))
    if page.batch_at:
        facts.append(("Last batch", f"{page.batch_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {page.batch}"))
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)


def _section(section: Section, live: Links | None) -> str:
    parts = [
        f'<h2 id="{section.key}-title">{escape(section.title)}</h2>',
        f'<p class="says">{_prose(section.says)}</p>',
    ]
    if section.cards:
        parts.append(f'<div class="cards">{"".join(_card(card, live) for card in section.cards)}</div>')
    for size, figures in groupby(section.figures, key=lambda figure: figure.size):
        drawn = "".join(_figure(figure, live) for figure in figures)
        parts.append(drawn if size == "wide" else f'<div class="{size}">{drawn}</div>')
    if live and any(_leads(figure) for figure in section.figures):
        parts.append(f'<p class="note">{_CLICK}</p>')
    parts += [f'<p class="note">{_prose(note)}</p>' for note in section.notes]
    parts += [_table(table, live) for table in section.tables if table.is_open]
    behind = [_table(table, live) for table in section.tables if not table.is_open]
    if behind:
        parts.append(f"<details><summary>The figures as {_tables(len(behind))}</summary>{''.join(behind)}</details>")
    calls = "".join(f"<code>{escape(call)}</code> " for call in section.calls)
    parts.append(f'<p class="calls"><span>SQL</span> {calls}</p>')
    return f'<section id="{section.key}" aria-labelledby="{section.key}-title">{"".join(parts)}</section>'


def _tables(number: int) -> str:
    return "a table" if number == 1 else "tables"


def _card(card: Card, live: Links | None) -> str:
    return (
        f'<div class="card"><h3>{escape(card.kpi)}</h3><p class="value">{escape(_minus(card.value))}'
        f' <span class="unit">{escape(card.unit)}</span></p>'
        f"<p>{escape(_minus(card.change))}</p><p>{escape(_minus(card.second))}</p>"
        f"{_figure(card.figure, live) if card.figure else ''}"
        f'<p class="note">{escape(card.meaning)}</p></div>'
    )


def _figure(figure: Figure, live: Links | None) -> str:
    switches = "".join(_switch(figure, switch) for switch in figure.switches)
    widest = f' style="max-width: {figure.widest}ch"' if figure.widest else ""
    caption = f"<figcaption>{_prose(figure.caption)}</figcaption>" if figure.caption else ""
    return (
        f'<figure id="figure-{figure.name}"{widest}>{switches}{caption}'
        f'<div class="plot" role="img" aria-label="{escape(figure.label)}"></div>'
        f'<script type="application/json">{_json(specification(figure, live))}</script></figure>'
    )


def _leads(figure: Figure) -> bool:
    """Whether marks of the figure are links in a live page."""
    rows = [*figure.rows, *figure.aside.get("marked", ())]
    return any(row.get("target") for row in rows)


def _switch(figure: Figure, switch: Switch) -> str:
    """A group of radio buttons."""
    name = f"{figure.name}-{switch.name}"
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{escape(value)}" data-switch="{switch.name}"'
        f"{' checked' if place == 0 else ''}><span>{escape(label)}</span></label>"
        for place, (value, label) in enumerate(switch.options)
    )
    return f'<fieldset class="switch"><legend>{escape(switch.legend)}</legend>{buttons}</fieldset>'


def _table(table: Table, live: Links | None) -> str:
    head = "".join(f'<th scope="col"{_side(column)}>{escape(column.heading)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(_cells(table, row, live))}</tr>" for row in table.rows)
    more = f'<p class="note">{escape(table.more)}</p>' if table.more else ""
    wide = ' class="table wide"' if len(table.columns) > _ON_PAPER else ' class="table"'
    when = "".join(f' data-when-{name}="{escape(value)}"' for name, value in table.when.items())
    # A table wider than the page scrolls by itself, also by keyboard.
    return (
        f'<div{wide}{when}><div class="scroll" tabindex="0" role="group" aria-label="{escape(table.caption)}">'
        f"<table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{more}</div>"
    )


def _cells(table: Table, row: Row, live: Links | None) -> list[str]:
    cells = []
    for place, column in enumerate(table.columns):
        shown = text_of(row[column.name], column.kind)
        text = escape(shown if column.kind in _WORDS else _minus(shown))
        target = table.targets[column.name](row) if live and column.name in table.targets else None
        address = live.url(target) if live and target else None
        if address:
            text = f'<a href="{escape(address)}">{text}</a>'
        tag = 'th scope="row"' if place == 0 else "td"
        cells.append(f"<{tag}{_side(column)}>{text}</{tag[:2]}>")
    return cells


def _side(column: Column) -> str:
    """Words stand to the left, figures to the right."""
    return {Kind.text: "", Kind.label: ' class="label"'}.get(column.kind, ' class="figure"')


def _minus(text: str) -> str:
    """A figure with the sign for minus, as wide as a plus."""
    return text.replace("-", "−")


def _prose(text: str) -> str:
    """A sentence, in which no day, share or sign is torn from its figure."""
    text = re.sub(r"(?<![\w-])-(?=\d)", "−", text).replace(" %", "\u00a0%")
    return re.sub(r"\b\d{4}-\d\d(?:-\d\d)?\b", r'<span class="day">\g<0></span>', escape(text))


def _json(value: object) -> str:
    """JSON that may stand in a script: no text in it can end the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def libraries() -> str:
    """The libraries that draw the charts, as one script: made once, in seconds, which may pass beside other work."""
    # Its stub asks for an argument that has a default.
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
