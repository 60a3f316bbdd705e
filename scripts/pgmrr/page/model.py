"""What a page consists of: sections with sentences, charts, and the tables behind them.

Nothing here knows HTML, and no figure is computed: values come from schema ``kpi`` as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from pgmrr.show import Column, Row


@dataclass(frozen=True)
class Period:
    """The days that a page looks at, both included; None is as far as the data reach."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Movements:
    """Leads to the movements of some days, of one kind or of all."""

    first: date
    last: date
    kind: str | None = None


@dataclass(frozen=True)
class Customer:
    """Leads to the charges behind a customer's MRR on a day."""

    customer_id: str
    day: date


Target = Movements | Customer

Size = Literal["wide", "medium", "small"]


class Links(Protocol):
    """Where a live page leads: a bar of a chart or a cell of a table becomes a link."""

    def url(self, target: Target) -> str | None:
        """The address, or None where this target has none."""


@dataclass(frozen=True)
class Switch:
    """A group of radio buttons above a chart: ``name`` is the parameter of the chart that it sets."""

    name: str
    legend: str
    options: Sequence[tuple[str, str]]  # value, label; the first is chosen


@dataclass(frozen=True)
class Figure:
    """A chart: rows, and the function that draws them.

    A row may hold a Target under ``target``. Figures of the same size that are not wide stand beside each other.
    """

    name: str
    label: str  # what a person who does not see it is told
    draw: Callable[..., Any]  # (rows, **aside) -> altair.Chart
    rows: Sequence[Row]
    aside: Mapping[str, Any] = field(default_factory=dict)
    caption: str | None = None
    size: Size = "wide"
    widest: int | None = None  # in letters, where a chart of few marks would be torn apart
    switches: Sequence[Switch] = ()


@dataclass(frozen=True)
class Table:
    """Figures as they are, with what each column holds, and where its cells lead in a live page."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    targets: Mapping[str, Callable[[Row], Target | None]] = field(default_factory=dict)
    is_open: bool = False  # it stands on the page, not behind a chart
    when: Mapping[str, str] = field(default_factory=dict)  # the switches under which it shows
    more: str | None = None  # what it leaves out, and how to see it


@dataclass(frozen=True)
class Card:
    """A headline KPI, with its series as a sparkline."""

    kpi: str
    value: str
    unit: str
    change: str
    second: str
    meaning: str
    figure: Figure | None


@dataclass(frozen=True)
class Section:
    """A question, answered: in a sentence, in charts, in tables; or why the data cannot answer it."""

    key: str
    title: str
    says: str
    calls: Sequence[str]  # the SQL that gives the figures
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    cards: Sequence[Card] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """All that a page shows."""

    title: str
    database: str
    currency: str
    first: date | None  # the days shown; None where nothing is known
    last: date | None
    batch: str | None  # the last import or simulation, in a word
    batch_at: datetime | None
    explanation: str  # what the data can say, in words
    sections: Sequence[Section]
