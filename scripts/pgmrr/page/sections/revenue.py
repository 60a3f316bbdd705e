"""How much recurs, how it moves, and the days on which it moved unusually."""

from collections.abc import Callable, Sequence

from pgmrr.page import charts
from pgmrr.page.model import Figure, Movements, Section, Table, Target
from pgmrr.page.scope import Scope, counted, share
from pgmrr.reports.analysis import SIGNIFICANT, drivers_of
from pgmrr.show import Column, Kind, Row, text_of

_DAILY = """
    select day, closing, unpaid, customers, unpaid / nullif(closing, 0) as unpaid_share, mrr_is_complete
    from kpi.mrr_daily
    where day between %(first)s and %(last)s
    order by day
"""

_MONTHLY = """
    select to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label, month, first_on, last_on,
        opening, preexisting, new, reactivation, expansion, contraction, rounding, churn, closing, unpaid,
        unpaid / nullif(closing, 0) as unpaid_share, customers, growth, arpa, arr, is_whole
    from kpi.mrr_monthly
    where first_on <= %(last)s
        and last_on >= %(first)s
    order by month
"""

_SUMS = """
    select sum(preexisting) as preexisting, sum(new) as new, sum(reactivation) as reactivation,
        sum(expansion) as expansion, sum(contraction) as contraction, sum(churn) as churn, sum(rounding) as rounding
    from kpi.mrr_daily
    where day between %(first)s and %(last)s
"""

_MOST_DAYS = 50  # a page does not grow with the years: the farthest from what was expected come first


def mrr(scope: Scope) -> Section:
    """How much recurs?"""
    daily, monthly = scope.ask(_DAILY), scope.ask(_MONTHLY)
    then, now = daily[0], daily[-1]
    says = (
        f"On {now['day']}, {counted(now['customers'], 'customer')} brought {scope.money(now['closing'])} a month"
        + (f"; on {then['day']}, the first day shown, MRR was {scope.money(then['closing'])}" * (len(daily) > 1))
        + "."
    )
    if now["unpaid"]:
        says += (
            f" Of the MRR of {now['day']}, {scope.money(now['unpaid'])} ({share(now['unpaid_share'])}) rests on "
            "open or draft invoices."
        )
    notes = [f"Shaded: {shade['reason']}." for shade in scope.shades]
    if not now["mrr_is_complete"]:
        notes.append(f"MRR before {scope.coverage['mrr_complete_from']} is a lower bound.")
    if scope.coverage["hidden_annual_mrr"]:
        hidden = scope.money(scope.coverage["hidden_annual_mrr"])
        notes.append(f"Annual customers who were not billed yet may hide about {hidden} of MRR more.")
    return Section(
        "mrr",
        "MRR over time",
        says,
        ["kpi.mrr_daily", "kpi.mrr_monthly"],
        [
            Figure(
                "mrr",
                f"MRR by day from {then['day']} to {now['day']}: from {scope.money(then['closing'])} to "
                f"{scope.money(now['closing'])}",
                charts.mrr,
                [{name: row[name] for name in ("day", "closing", "unpaid")} for row in daily],
                {"currency": scope.currency, "shades": scope.shades},
            )
        ]
        if len(daily) > 1
        else (),
        [
            Table(
                f"MRR at the end of each month, {scope.currency} a month",
                [
                    Column("label", "Month", Kind.label),
                    Column("closing", "MRR", Kind.units),
                    Column("unpaid", "of it unpaid", Kind.units),
                    Column("unpaid_share", "Share unpaid", Kind.share),
                    Column("customers", "Customers", Kind.count),
                    Column("growth", "Growth", Kind.growth),
                    Column("arpa", "ARPA", Kind.money),
                    Column("arr", "ARR", Kind.units),
                ],
                monthly,
                more=_partial(monthly),
            )
        ],
        notes=notes,
    )


def waterfall(scope: Scope) -> Section:
    """Why did MRR move?"""
    monthly = scope.ask(_MONTHLY)
    (sums,) = scope.ask(_SUMS)
    present = charts.kinds_of(monthly)
    bars = [
        {
            "month": row["label"],
            "kind": kind,
            "change": row[kind],
            "place": charts.KINDS.index(kind),
            "target": Movements(row["first_on"], row["last_on"], kind),
        }
        for row in monthly
        for kind in present
        if row[kind]
    ]
    won = [kind for kind in ("new", "expansion", "reactivation") if sums[kind]]
    lost = [kind for kind in ("churn", "contraction") if sums[kind]]
    moved = [f"{kind} {text_of(sums[kind], Kind.change)}" for kind in [*won, *lost]]
    says = f"From {scope.first} to {scope.last}: {', '.join(moved) or 'nothing moved'} ({scope.currency} a month)."
    if sums["preexisting"]:
        says += (
            f" Customers who were there before and only became visible: {text_of(sums['preexisting'], Kind.change)}; "
            "that is no growth."
        )
    return Section(
        "waterfall",
        "Why MRR moved",
        says,
        ["kpi.mrr_monthly", f"kpi.movements('{scope.first}', '{scope.last}')"],
        [
            Figure(
                "waterfall",
                f"Changes of MRR by month and kind: {', '.join(moved)}",
                charts.waterfall,
                bars,
                {"currency": scope.currency, "months": [row["label"] for row in monthly]},
            )
        ]
        if bars
        else (),
        [
            Table(
                f"From opening to closing, {scope.currency} a month",
                [
                    Column("label", "Month", Kind.label),
                    Column("opening", "Opening", Kind.units),
                    *(Column(kind, kind.capitalize(), Kind.change) for kind in present),
                    Column("closing", "Closing", Kind.units),
                ],
                monthly,
                {kind: _leads_to(kind) for kind in present},
            )
        ],
        notes=list(filter(None, [_partial(monthly)])),
    )


def days(scope: Scope) -> Section:
    """On which days did MRR change unusually, and who made it?"""
    asked = {"grain": "day", "first": scope.first, "last": scope.last, "threshold": 3.5}
    found = SIGNIFICANT.ask(scope.connection, asked)
    largest = sorted(found, key=lambda row: -abs(row["deviation"]))[:_MOST_DAYS]
    marked = [_marked(row) for row in sorted(largest, key=lambda row: row["first_on"])]
    if marked:
        most = _marked(largest[0])
        says = (
            f"{counted(len(found), 'day')} {'stand' if len(found) != 1 else 'stands'} out. The farthest from what was "
            f"expected: {most['day']}, {text_of(most['change'], Kind.change)} {scope.currency} where "
            f"{text_of(most['expected'], Kind.change)} was expected ({most['drivers']})."
        )
    else:
        says = f"From {scope.first} to {scope.last} no day stands out."
    daily = [{"day": row["day"], "closing": row["closing"]} for row in scope.ask(_DAILY)]
    notes = [f"Shaded: {shade['reason']}; changes of those days lack what was lost." for shade in scope.shades]
    caption = "▲ more than expected, ▼ less. The axis does not begin at zero."
    if len(found) > _MOST_DAYS:
        caption += f" Marked are the {_MOST_DAYS} that deviate most."
    return Section(
        "days",
        "Days that stand out",
        says,
        [f"kpi.significant_days('{scope.first}', '{scope.last}')"],
        [
            Figure(
                "days",
                f"MRR by day, with {counted(len(marked), 'day')} marked",
                charts.days,
                daily,
                {"currency": scope.currency, "marked": marked, "shades": scope.shades},
                caption=caption,
            )
        ]
        if marked
        else (),
        [
            Table(
                f"Significant days, {scope.currency} a month",
                [
                    Column("day", "Day", Kind.label),
                    Column("change", "Change", Kind.change),
                    Column("expected", "Expected", Kind.change),
                    Column("score", "Score", Kind.ratio),
                    Column("compared_with", "Compared with", Kind.label),
                    Column("drivers", "What made half of the difference or more"),
                ],
                marked,
                {"change": lambda row: row["target"]},
                more=f"the {_MOST_DAYS} that deviate most, of {len(found):,}" if len(found) > _MOST_DAYS else None,
            )
        ]
        if marked
        else (),
        notes=notes if marked else (),
    )


def _partial(monthly: Sequence[Row]) -> str | None:
    """What the star beside a month means, where there is one."""
    return None if all(row["is_whole"] for row in monthly) else "* a month of which only a part is covered"


def _marked(row: Row) -> dict[str, object]:
    return {
        "day": row["first_on"],
        "closing": row["closing"],
        "change": row["change"],
        "expected": row["expected"],
        "score": row["score"],
        "compared_with": row["compared_with"],
        "drivers": drivers_of(row),
        "way": "more than expected" if row["change"] > row["expected"] else "less than expected",
        "target": Movements(row["first_on"], row["last_on"]),
    }


def _leads_to(kind: str) -> Callable[[Row], Target | None]:
    def target(row: Row) -> Target | None:
        return Movements(row["first_on"], row["last_on"], kind) if row[kind] else None

    return target
