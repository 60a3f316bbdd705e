"""From figures to specifications that Vega-Lite draws, and to pictures."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import vl_convert

from pgmrr.page import charts
from pgmrr.page.model import Customer, Figure, Links, Movements, Page
from pgmrr.page.palette import LIGHT, painted

_WIDTH = {"wide": 960, "medium": 480, "small": 320}  # of a picture in pixels
_PIXELS = 2  # a PNG has two for each of them, for sharp screens and paper

# What XML may not hold: one of these in a name would end this process, within the library that draws.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def specification(figure: Figure, live: Links | None = None) -> dict[str, Any]:
    """The chart of a figure, in the terms of Vega-Lite; with links where the page is live."""
    aside = {name: _plain(value, live) for name, value in figure.aside.items()}
    return figure.draw(_plain(figure.rows, live), **aside).to_dict(validate=False)


def write_pictures(page: Page, directory: Path) -> list[Path]:
    """Write each chart of a page as PNG and SVG, light; the files written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures(page):
        spec = specification(figure)
        spec.update(width=_WIDTH[figure.size], background=LIGHT["surface"], padding=16, title=_title(figure))
        spec["config"] = {**charts.CONFIG, "font": "sans-serif"}
        text = painted(json.dumps(_drawable(spec)))
        png, svg = (directory / f"{figure.name}.{ending}" for ending in ("png", "svg"))
        svg.write_text(vl_convert.vegalite_to_svg(text), encoding="utf-8")
        png.write_bytes(vl_convert.svg_to_png(svg.read_text(encoding="utf-8"), scale=_PIXELS))
        written += [png, svg]
    return written


def figures(page: Page) -> list[Figure]:
    """All figures of a page, in its order."""
    return [
        figure
        for section in page.sections
        for figure in [*(card.figure for card in section.cards if card.figure), *section.figures]
    ]


def _drawable(value: Any) -> Any:
    """A specification with the mark of an unknown character for each that no picture can hold."""
    if isinstance(value, str):
        return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {_drawable(name): _drawable(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_drawable(item) for item in value]
    return value


def _title(figure: Figure) -> dict[str, Any]:
    """What stands above a picture, which has no page around it."""
    words = figure.caption or figure.label
    return {"text": words, "anchor": "start", "color": LIGHT["ink"], "fontSize": 13, "offset": 12}


def _plain(value: Any, live: Links | None) -> Any:
    """A value as JSON holds it: numbers, days as text, and targets as addresses where the page is live."""
    if isinstance(value, Decimal):
        return round(float(value), 6 if abs(value) < 10 else 2)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        made = {name: _plain(item, live) for name, item in value.items() if name != "target"}
        target = value.get("target")
        if live and isinstance(target, Movements | Customer):
            made["href"] = live.url(target)
        return made
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item, live) for item in value]
    return value
