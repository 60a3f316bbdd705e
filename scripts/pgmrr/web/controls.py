"""What the live page has above the report: the form that filters it, and the way between pages. All by plain GET."""

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path

from pgmrr.page.scope import Scope
from pgmrr.reports import TOTAL_AT
from pgmrr.reports.segments import ATTRIBUTES, SEGMENTS
from pgmrr.show import Kind, Row, text_of
from pgmrr.web.filters import Filters, Segment

_MOST_VALUES = 40  # of an attribute, in a list to choose from

# Currencies to which the reporting currency converts.
_CURRENCIES = """
    select e.currency
    from kpi.exchange_rate e
    where exists (select from kpi.exchange_rate r join kpi.currency c on c.reporting_currency = r.currency)
    order by e.currency
"""


def form(scope: Scope, filters: Filters) -> str:
    """The form, with what is chosen, and what the choice means."""
    coverage = scope.coverage
    bounds = f'min="{coverage["observed_from"]}" max="{coverage["complete_through"]}"'
    currencies = [row["currency"] for row in scope.ask(_CURRENCIES) if row["currency"] != scope.currency]
    chosen = (filters.currency or "").upper()
    return (
        f'{_style()}<form class="filters" method="get" action="/" aria-label="Filter">'
        f'<label>From<input type="date" name="from" value="{scope.first}" {bounds}></label>'
        f'<label>To<input type="date" name="to" value="{scope.last}" {bounds}></label>'
        f'<label>Segment<select name="segment"><option value="">whole company</option>{_segments(scope, filters)}'
        "</select></label>"
        f'<label>Convert MRR to<select name="currency"><option value="">{escape(scope.currency)}, as reported</option>'
        f"{''.join(_option(name, name, name == chosen) for name in _with(chosen, currencies))}</select></label>"
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


def _segments(scope: Scope, filters: Filters) -> str:
    """A group of options for each attribute, each value once; one that is chosen, listed or not, is there."""
    groups = []
    is_listed = filters.segment is None
    for attribute in ATTRIBUTES.ask(scope.connection):
        if not attribute["distinct_values"] or attribute["distinct_values"] > _MOST_VALUES:
            continue
        found = SEGMENTS.ask(scope.connection, {"attribute": attribute["name"], "day": scope.last})
        options = [Segment(attribute["name"], row["segment"]) for row in found]
        is_listed = is_listed or filters.segment in options
        groups.append(_group(attribute, options, filters.segment))
    if filters.segment and not is_listed:
        groups.insert(0, _option(filters.segment.written, filters.segment.shown, True))
    return "".join(groups)


def _group(attribute: Row, segments: Sequence[Segment], chosen: Segment | None) -> str:
    options = "".join(
        _option(segment.written, "(no value)" if segment.value is None else segment.value, segment == chosen)
        for segment in segments
    )
    return f'<optgroup label="{escape(attribute["name"])}">{options}</optgroup>'


def _option(value: str, words: str, is_chosen: bool) -> str:
    return f'<option value="{escape(value)}"{" selected" if is_chosen else ""}>{escape(words)}</option>'


def _with(chosen: str, listed: Sequence[str]) -> list[str]:
    return [*listed, chosen] if chosen and chosen not in listed else list(listed)


@cache
def _style() -> str:
    css = (Path(__file__).parent / "live.css").read_text(encoding="utf-8")
    return f"<style>{css}</style>"
