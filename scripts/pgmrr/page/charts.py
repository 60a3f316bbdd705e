"""The charts: one function each, from rows to a specification, pure.

Rows hold what JSON holds: numbers, text, days as 2024-06-30. Colours are names (see palette). A row
with ``href`` becomes a link. Charts are as wide as their place.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
from altair.typing import ChartType

from pgmrr.page.palette import var

Rows = Sequence[Mapping[str, Any]]

KINDS = ("preexisting", "new", "reactivation", "expansion", "contraction", "churn", "rounding")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# What all charts share: quiet axes, no frame, the type of the page.
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "padding": {"left": 0, "right": 12, "top": 6, "bottom": 4},
    "view": {"stroke": None, "continuousHeight": 260},
    "axis": {
        "labelColor": var("muted"),
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleColor": var("muted"),
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": var("grid"),
        "domain": False,
        "ticks": False,
    },
    "axisX": {
        "grid": False,
        "domain": True,
        "domainColor": var("rule"),
        "labelOverlap": "greedy",
        "labelSeparation": 12,
    },
    "legend": {
        "labelColor": var("ink"),
        "labelFontSize": 12,
        "title": None,
        "orient": "top",
        "direction": "horizontal",
        "symbolType": "square",
        "symbolSize": 90,
        "columnPadding": 14,
        "columns": {"expr": "width < 480 ? 3 : 8"},
        "offset": 8,
    },
    "text": {"color": var("ink"), "fontSize": 12},
    "line": {"strokeWidth": 2, "strokeJoin": "round"},
    "rule": {"color": var("rule")},
}

_UNITS = ",.0f"
_CENTS = ",.2f"
_SHARE = ".1%"


def sparkline(rows: Rows, *, field: str, height: int = 36) -> ChartType:
    """``field`` over ``day``, from zero, with a dot on the last value."""
    line = _bare_chart(rows).mark_line(color=var("mrr"), strokeWidth=1.5).encode(y=_bare(field))
    dots = [row for row in rows if row[field] is not None][-1:]
    dot = _bare_chart(dots).mark_circle(color=var("mrr"), size=36, opacity=1).encode(y=_bare(field))
    return alt.layer(line, dot).properties(width="container", height=height)


def month_ends(rows: Rows, *, currency: str) -> ChartType:
    """MRR (``closing``) on a ``day`` at the end of each month: what it was between them is not told."""
    base = _day_chart(rows)
    line = base.mark_line(color=var("mrr"), point=alt.OverlayMarkDef(size=36, filled=True, color=var("mrr"))).encode(
        y=alt.Y("closing:Q", title=f"{currency} a month", axis=_amounts(), scale=alt.Scale(zero=True)),
        tooltip=[alt.Tooltip("day:N", title="Day"), alt.Tooltip("closing:Q", title="MRR", format=_CENTS)],
    )
    return line.properties(width="container", height=300)


def mrr(rows: Rows, *, currency: str, shades: Rows = ()) -> ChartType:
    """MRR by ``day`` (``closing``), its ``unpaid`` part apart, and the days of ``shades`` on which data can't say."""
    series = {"MRR": "mrr", "of it unpaid": "unpaid"} if any(row.get("unpaid") for row in rows) else {"MRR": "mrr"}
    colours = _colours(series)
    base = _day_chart(rows)
    y = alt.Y("closing:Q", title=f"{currency} a month", axis=_amounts())
    layers: list[Any] = [
        *_shaded(shades),
        base.mark_area(color=var("mrr"), opacity=0.13, interpolate="step-after").encode(y=y),
        base.mark_line(interpolate="step-after").encode(y=y, color=alt.datum("MRR", scale=colours)),
    ]
    if len(series) > 1:
        layers.append(
            base.mark_area(interpolate="step-after", opacity=0.85).encode(
                y=alt.Y("unpaid:Q"), color=alt.datum("of it unpaid", scale=colours)
            )
        )
    else:
        layers[-1] = layers[-1].encode(color=alt.datum("MRR", scale=colours, legend=None))
    told = [("closing", "MRR", _CENTS), ("unpaid", "of it unpaid", _CENTS)]
    layers += _hover(base, "closing", told if any("unpaid" in row for row in rows) else told[:1])
    return alt.layer(*layers).properties(width="container", height=300)


def kinds_of(rows: Rows) -> list[str]:
    """The kinds that move a printed unit in any row: cents of rounding need neither a colour nor a column."""
    return [kind for kind in KINDS if any(abs(row[kind]) >= 0.5 for row in rows)]


def waterfall(rows: Rows, *, currency: str, months: Sequence[str]) -> ChartType:
    """Changes of MRR by ``month`` and ``kind``: what came above zero, what went below.

    ``months`` are all that are shown: one in which nothing moved has its place, too.
    """
    present = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    bars = (
        _chart(rows)
        .mark_bar(width={"band": 0.7 if len(months) > 4 else 0.3})
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=list(months))),
            y=alt.Y("change:Q", title=f"{currency} a month", axis=_amounts()),
            color=alt.Color("kind:N", sort=present, scale=_colours({kind: kind for kind in present})),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("month:N", title="Month"),
                alt.Tooltip("kind:N", title="Kind"),
                alt.Tooltip("change:Q", title="Change", format=f"+{_CENTS}"),
            ],
            **_links(rows),
        )
    )
    zero = _chart([{"zero": 0}]).mark_rule(color=var("muted")).encode(y="zero:Q")
    return alt.layer(bars, zero).properties(width="container", height=300)


def rates(rows: Rows, *, series: Mapping[str, str], reference: float | None = None) -> ChartType:
    """Shares by ``day`` (``value``), a line for each ``metric``; ``series`` names their colours."""
    base = _chart(rows)
    y = alt.Y("value:Q", title=None, axis=_shares(), scale=alt.Scale(zero=reference is None))
    line = base.mark_line(point=alt.OverlayMarkDef(size=36, filled=True)).encode(
        x=_day_axis(rows),
        y=y,
        color=alt.Color(
            "metric:N",
            sort=list(series),
            scale=_colours(series),
            legend=alt.Legend(symbolType="stroke", symbolSize=500, symbolStrokeWidth=2),
        ),
        # Where two lines are one, both are seen. The legend shows colour and dash as one: without a legend
        # of its own here, there would be none at all.
        strokeDash=alt.StrokeDash(
            "metric:N", sort=list(series), scale=alt.Scale(domain=list(series), range=[[1, 0], [6, 6]])
        ),
        tooltip=[
            alt.Tooltip("month:N", title="Month"),
            alt.Tooltip("metric:N", title="Rate"),
            alt.Tooltip("value:Q", title="Value", format=_SHARE),
        ],
        **_links(rows),
    )
    layers = [line]
    if reference is not None:
        rule = _chart([{"value": reference}]).mark_rule(color=var("muted"), strokeDash=[4, 3]).encode(y="value:Q")
        layers.insert(0, rule)
    return alt.layer(*layers).properties(width="container", height=220)


def cohorts(rows: Rows, *, axis: str, axis_title: str) -> ChartType:
    """A row a cohort, a column a month (``axis``); ``measure`` and ``scale`` choose what the cells show."""
    measure, scale = alt.param(name="measure", value="customers"), alt.param(name="scale", value="share")
    top = {name: max((row[name] for row in rows), default=0) or 1 for name in ("customers", "mrr")}
    columns = len({row[axis] for row in rows})
    share = "(measure === 'mrr' ? datum.mrr_share : datum.customer_share)"
    amount = "(measure === 'mrr' ? datum.mrr : datum.customers)"
    largest = f"(measure === 'mrr' ? {top['mrr']} : {top['customers']})"
    base = (
        _chart(rows)
        .transform_calculate(
            heat=f"scale === 'share' ? {share} : {amount} / {largest}",
            shown=f"scale === 'share' ? ({share} === null ? '–' : format({share} * 100, '.0f'))"
            f" : format({amount}, measure === 'mrr' ? '.3~s' : ',d')",
        )
        .encode(
            x=alt.X(f"{axis}:O", title=axis_title, axis=alt.Axis(orient="top", labelAngle=0, domain=False)),
            y=alt.Y("cohort_name:O", title=None, sort=None, axis=alt.Axis(grid=False)),
            tooltip=[
                alt.Tooltip("cohort_name:N", title="Cohort"),
                alt.Tooltip("month:N", title="Month"),
                alt.Tooltip("customers:Q", title="Customers", format=",d"),
                alt.Tooltip("customer_share:Q", title="of them kept", format=_SHARE),
                alt.Tooltip("mrr:Q", title="MRR", format=_CENTS),
                alt.Tooltip("mrr_share:Q", title="of it kept", format=_SHARE),
            ],
        )
    )
    cells = base.mark_rect(color=var("heat"), stroke=var("surface"), strokeWidth=1).encode(
        fillOpacity=alt.FillOpacity(
            "heat:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.7], clamp=True), legend=None
        )
    )
    # Words only where they have room.
    text = base.mark_text(fontSize=11, opacity=alt.expr(f"width / {columns} >= 26 ? 1 : 0")).encode(text="shown:N")
    return (
        alt.layer(cells, text)
        .add_params(measure, scale)
        .properties(width="container", height=24 * len({row["cohort_name"] for row in rows}))
    )


def days(rows: Rows, *, currency: str, marked: Rows, shades: Rows = ()) -> ChartType:
    """MRR by ``day``, with the days of ``marked`` on it and who made them (``drivers``)."""
    base = _day_chart(rows)
    y = alt.Y("closing:Q", title=f"{currency} a month", axis=_amounts(), scale=alt.Scale(zero=False))
    line = base.mark_line(color=var("muted"), strokeWidth=1.5, interpolate="step-after").encode(y=y)
    points = (
        _day_chart(marked)
        .mark_point(color=var("mark"), fill=var("surface"), size=90, strokeWidth=2, opacity=1)
        .encode(
            y="closing:Q",
            shape=alt.Shape(
                "way:N",
                scale=alt.Scale(
                    domain=["more than expected", "less than expected"], range=["triangle-up", "triangle-down"]
                ),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("day:N", title="Day"),
                alt.Tooltip("change:Q", title="Change", format=f"+{_CENTS}"),
                alt.Tooltip("expected:Q", title="Expected", format=f"+{_CENTS}"),
                alt.Tooltip("score:Q", title="Score", format=".1f"),
                alt.Tooltip("drivers:N", title="Who"),
            ],
            **_links(marked),
        )
    )
    return alt.layer(*_shaded(shades), line, points).properties(width="container", height=260)


def trajectory(rows: Rows, *, unpaid: bool = False) -> ChartType:
    """A customer's MRR by ``day``, from zero."""
    colour = var("unpaid") if unpaid else var("mrr")
    base = _bare_chart(rows)
    area = base.mark_area(color=colour, opacity=0.13, interpolate="step-after").encode(y=_bare("mrr"))
    line = base.mark_line(color=colour, strokeWidth=1.5, interpolate="step-after").encode(
        y=_bare("mrr"),
    )
    tips = _hover(base, "mrr", [("mrr", "MRR", _CENTS)], dot=False)
    return alt.layer(area, line, *tips).properties(width="container", height=48)


def concentration(rows: Rows) -> ChartType:
    """The share of MRR (``cumulative_share``) that the largest customers (``customer_share``) bring."""
    base = _chart(rows).encode(
        x=alt.X("customer_share:Q", title="Customers, the largest first", axis=_shares()),
        y=alt.Y("cumulative_share:Q", title="Share of MRR", axis=_shares()),
    )
    equal = _chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(
        color=var("muted"), strokeWidth=1, strokeDash=[4, 3]
    ).encode(x="x:Q", y="y:Q")  # fmt: skip
    curve = base.mark_line(color=var("mrr"))
    hit = base.mark_circle(size=140, opacity=0).encode(
        tooltip=[
            alt.Tooltip("rank:Q", title="Largest customers", format=",d"),
            alt.Tooltip("customer_share:Q", title="of all customers", format=_SHARE),
            alt.Tooltip("cumulative_share:Q", title="of MRR", format=_SHARE),
        ]
    )
    return alt.layer(equal, curve, hit).properties(width="container", height=260)


def segments(rows: Rows) -> ChartType:
    """MRR by ``segment``, with ``words`` beside each bar."""
    largest = max((row["mrr"] for row in rows), default=0)
    words_room = 12 + 7 * max((len(row["words"]) for row in rows), default=0)  # pixels beside the longest bar
    base = _chart(rows).encode(
        y=alt.Y("segment:N", sort=None, title=None, axis=alt.Axis(labelLimit=140)),
        x=alt.X(
            "mrr:Q",
            axis=None,
            scale=alt.Scale(domain=[0, largest or 1], range=[0, {"expr": f"max(width - {words_room}, 20)"}]),
        ),
        tooltip=[
            alt.Tooltip("segment:N", title="Segment"),
            alt.Tooltip("mrr:Q", title="MRR", format=_CENTS),
            alt.Tooltip("share:Q", title="Share", format=_SHARE),
            alt.Tooltip("customers:Q", title="Customers", format=",d"),
            alt.Tooltip("arpa:Q", title="ARPA", format=_CENTS),
        ],
    )
    bars = base.mark_bar(color=var("mrr"), height={"band": 0.6})
    words = base.mark_text(align="left", dx=5).encode(text="words:N")
    return alt.layer(bars, words).properties(width="container", height=28 * len(rows))


def forecast(rows: Rows, *, currency: str, history: Rows) -> ChartType:
    """MRR that was (``history``) and that may come: ``point``, in its 80 % and 95 % intervals."""
    base = _day_chart(rows)
    y = alt.Y("low_95:Q", title=f"{currency} a month", axis=_amounts(), scale=alt.Scale(zero=False))
    was = _day_chart(history).mark_line(color=var("mrr"), interpolate="step-after").encode(y=alt.Y("closing:Q"))
    wide = base.mark_area(color=var("mrr"), opacity=0.12).encode(y=y, y2="high_95:Q")
    narrow = base.mark_area(color=var("mrr"), opacity=0.22).encode(y=alt.Y("low_80:Q"), y2="high_80:Q")
    point = base.mark_line(color=var("mrr"), strokeDash=[5, 3]).encode(y="point:Q")
    tips = _hover(
        base,
        "point",
        [
            ("point", "Forecast", _UNITS),
            ("low_80", "80 % low", _UNITS),
            ("high_80", "80 % high", _UNITS),
            ("low_95", "95 % low", _UNITS),
            ("high_95", "95 % high", _UNITS),
        ],
    )
    return alt.layer(wide, narrow, was, point, *tips).properties(width="container", height=300)


def backtest(rows: Rows, *, grain: str) -> alt.Chart:
    """How far forecasts were off (``mape``), by ``periods_ahead``: the method taken, and saying that MRR stays."""
    series = {"as taken (auto)": "mrr", "MRR stays (naive)": "preexisting"}
    return (
        _chart(rows)
        .mark_line(point=alt.OverlayMarkDef(size=36, filled=True))
        .encode(
            x=alt.X("periods_ahead:O", title=f"{grain}s ahead", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("mape:Q", title="Mean error", axis=_shares()),
            color=alt.Color("method:N", sort=list(series), scale=_colours(series)),
            tooltip=[
                alt.Tooltip("method:N", title="Forecast"),
                alt.Tooltip("periods_ahead:Q", title=f"{grain}s ahead"),
                alt.Tooltip("mape:Q", title="Mean error", format=_SHARE),
                alt.Tooltip("coverage_80:Q", title="80 % intervals that held", format=_SHARE),
                alt.Tooltip("origins:Q", title="Forecasts tried", format=",d"),
            ],
        )
        .properties(width="container", height=200)
    )


def _chart(rows: Rows) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)))


def _day_axis(rows: Rows) -> alt.X:
    """Days are days, whatever the reader's time zone: they are read and shown as UTC."""
    days = [date.fromisoformat(row["day"]) for row in rows]
    is_long = (max(days) - min(days)).days > 100 if days else True
    words = "datum.index === 0 || utcmonth(datum.value) === 0 ? '%b %Y' : '%b'" if is_long else "'%-d %b'"
    return alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(tickCount=8, labelExpr=f"utcFormat(datum.value, {words})"),
    )


def _day_chart(rows: Rows) -> alt.Chart:
    return _chart(rows).encode(x=_day_axis(rows))


def _bare_chart(rows: Rows) -> alt.Chart:
    return _chart(rows).encode(x=alt.X("day:T", scale=alt.Scale(type="utc"), axis=None))


def _amounts() -> alt.Axis:
    """Thousands as k, millions as M; zero as it is."""
    return alt.Axis(format="~s", tickCount=5, labelExpr="datum.value === 0 ? '0' : datum.label")


def _shares() -> alt.Axis:
    """Shares in percent."""
    return alt.Axis(tickCount=5, labelExpr="format(datum.value * 100, '~r') + ' %'")


def _bare(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", axis=None, scale=alt.Scale(zero=True))


def _colours(series: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(series), range=[var(colour) for colour in series.values()])


def _links(rows: Rows) -> dict[str, Any]:
    """The channel that makes marks links, where rows lead somewhere."""
    return {"href": alt.Href("href:N")} if any(row.get("href") for row in rows) else {}


def _shaded(shades: Rows) -> list[alt.Chart]:
    """Days of which the data cannot say all, with the reason at their top."""
    if not shades:
        return []
    base = _chart(shades).encode(x=alt.X("day:T", scale=alt.Scale(type="utc")), x2="until:T")
    room = "scale('x', toDate(datum.until)) - scale('x', toDate(datum.day)) > 130 ? 1 : 0"
    return [
        base.mark_rect(color=var("shade"), opacity=0.16).encode(tooltip=[alt.Tooltip("reason:N", title="Not known")]),
        _chart(shades)
        .mark_text(align="left", baseline="top", dx=6, color=var("muted"), opacity=alt.expr(room))
        .encode(x=alt.X("day:T", scale=alt.Scale(type="utc")), y=alt.value(6), text="short:N"),
    ]


def _hover(base: alt.Chart, field: str, shown: Sequence[tuple[str, str, str]], dot: bool = True) -> list[alt.Chart]:
    """What follows the pointer: a dot, and the figures of the day nearest to it."""
    near = alt.selection_point(
        name=f"near_{field}", nearest=True, on="pointerover", clear="pointerout", encodings=["x"], empty=False
    )
    # Of the mark nearest to the pointer Vega-Lite finds numbers and times, and no text ("undefined").
    day = alt.Tooltip("day:T", title="Day", timeUnit="utcyearmonthdate", format="%Y-%m-%d")
    tips = [day, *(alt.Tooltip(f"{n}:Q", title=t, format=f) for n, t, f in shown)]
    return [
        base.mark_circle(color=var("ink"), size=50)
        .encode(
            y=alt.Y(f"{field}:Q"),
            tooltip=tips,
            opacity=alt.condition(near, alt.value(1.0 if dot else 0.8), alt.value(0.0)),
        )
        .add_params(near)
    ]
