"""What the live page has above the report: the form that filters it, and the way between pages. All by plain GET."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from pgmrr.page.scope import Scope
from pgmrr.reports import TOTAL_AT
from pgmrr.reports.segments import ATTRIBUTES, SEGMENTS
from pgmrr.show import Kind, text_of
from pgmrr.web.filters import Filters, Segment

_MOST_VALUES = 40  # of an attribute, in a list to choose from

# Currencies to which the reporting currency converts.
_CURRENCIES = """
    select e.currency
    from kpi.exchange_rate e
    where exists (select from kpi.exchange_rate r join kpi.currency c on c.reporting_currency = r.currency)
    order by e.currency
"""


@dataclass(frozen=True)
class Choices:
    """What there is to choose from: segments by attribute, those of the last covered day, and currencies."""

    segments: Mapping[str, Sequence[Segment]]
    currencies: Sequence[str]


def choices(scope: Scope) -> Choices:
    """The choices that the data give. They do not depend on the days of the page."""
    attributes = [row for row in ATTRIBUTES.ask(scope.connection) if 0 < row["distinct_values"] <= _MOST_VALUES]
    day = scope.coverage["complete_through"]
    segments = {
        row["name"]: [
            Segment(row["name"], found["segment"])
            for found in SEGMENTS.ask(scope.connection, {"attribute": row["name"], "day": day})
        ]
        for row in attributes
    }
    return Choices(segments, [row["currency"] for row in scope.ask(_CURRENCIES) if row["currency"] != scope.currency])


def form(scope: Scope, filters: Filters, offered: Choices) -> str:
    """The form, with what is chosen, and what the choice means."""
    coverage = scope.coverage
    bounds = f'min="{coverage["observed_from"]}" max="{coverage["complete_through"]}"'
    chosen = (filters.currency or "").upper()
    return (
        f'{_style()}<form class="filters" method="get" action="/" aria-label="Filter">'
        f'<label>From<input type="date" name="from" value="{scope.first}" {bounds}></label>'
        f'<label>To<input type="date" name="to" value="{scope.last}" {bounds}></label>'
        f'<label>Segment<select name="segment"><option value="">whole company</option>{_segments(offered, filters)}'
        "</select></label>"
        f'<label>Convert MRR to<select name="currency"><option value="">{escape(scope.currency)}, as reported</option>'
        f"{''.join(_option(name, name, name == chosen) for name in _with(chosen, offered.currencies))}</select></label>"
        '<button type="submit">Show</button><a href="/">all</a></form>'
        f"{_converted(scope, filters)}"
    )


def trail(links: Mapping[str, str | None]) -> str:
    """The way to other pages: addresses by their words; where one has none, it is this page."""
    parts = (
        f'<a href="{escape(address)}">{escape(words)}</a>'
        if address
        else f'<span aria-current="page">{escape(words)}</span>'
        for words, address in links.items()
    )
    return f'{_style()}<nav class="trail" aria-label="Where this is">{" ".join(parts)}</nav>'


def _converted(scope: Scope, filters: Filters) -> str:
    """MRR in the currency chosen, and the rule: only MRR on a day is converted, by kpi itself."""
    if not filters.currency:
        return ""
    rule = (
        f"Everything below is in {scope.currency}, the reporting currency. Exchange rates are constant, so growth and "
        "rates are the same in any currency; kpi converts the MRR of the company and of a customer on a day."
    )
    if filters.segment:
        return f'<p class="note">{escape(rule)}</p>'
    [row] = TOTAL_AT.ask(scope.connection, {"day": scope.last, "currency": filters.currency})
    mrr = f"MRR on {scope.last} in {row['currency']}: {text_of(row['mrr'], Kind.money)} {row['currency']} a month."
    return f'<p class="says">{escape(mrr)}</p><p class="note">{escape(rule)}</p>'


def _segments(offered: Choices, filters: Filters) -> str:
    """A group of options for each attribute; a segment that is chosen and not listed stands before them."""
    chosen = filters.segment
    groups = [_group(name, segments, chosen) for name, segments in offered.segments.items() if segments]
    if chosen and chosen not in offered.segments.get(chosen.attribute, ()):
        groups.insert(0, _option(chosen.written, chosen.shown, True))
    return "".join(groups)


def _group(attribute: str, segments: Sequence[Segment], chosen: Segment | None) -> str:
    options = "".join(
        _option(segment.written, "(no value)" if segment.value is None else segment.value, segment == chosen)
        for segment in segments
    )
    return f'<optgroup label="{escape(attribute)}">{options}</optgroup>'


def _option(value: str, words: str, is_chosen: bool) -> str:
    return f'<option value="{escape(value)}"{" selected" if is_chosen else ""}>{escape(words)}</option>'


def _with(chosen: str, listed: Sequence[str]) -> list[str]:
    return [*listed, chosen] if chosen and chosen not in listed else list(listed)


@cache
def _style() -> str:
    css = (Path(__file__).parent / "live.css").read_text(encoding="utf-8")
    return f"<style>{css}</style>"
