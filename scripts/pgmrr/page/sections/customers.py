"""Who carries the revenue: the biggest customers, how much rests on few, and segments."""

from collections.abc import Sequence
from itertools import pairwise

from pgmrr.page import charts
from pgmrr.page.model import Customer, Figure, Section, Table
from pgmrr.page.scope import Scope, counted, share
from pgmrr.reports import BIGGEST
from pgmrr.reports.segments import ATTRIBUTES, CONCENTRATION, SEGMENTS
from pgmrr.show import Column, Kind, Row, text_of

_LARGEST = 10
_MOST_SEGMENTS = 12
_MOST_ATTRIBUTES = 8

# A customer's MRR on some 120 days, the last day shown among them.
_TRAJECTORIES = """
    select c.customer_id, d.day, kpi.mrr_at(c.customer_id, d.day) as mrr
    from unnest(%(ids)s::text[]) with ordinality c (customer_id, place)
    cross join kpi.mrr_daily d
    where d.day between %(first)s and %(last)s
        and (%(last)s::date - d.day) %% %(step)s = 0
    order by c.place, d.day
"""

_CURVE = """
    select customers as rank, customer_share, mrr_share as cumulative_share
    from kpi.concentration_curve(%(last)s)
"""


def biggest(scope: Scope) -> Section:
    """Who carries the revenue, and how did they get there?"""
    rows = BIGGEST.ask(scope.connection, {"day": scope.last, "limit": _LARGEST})
    title, call = "Biggest customers", f"kpi.biggest_customers('{scope.last}', {_LARGEST})"
    if not rows:
        return Section("biggest", title, f"Nobody pays on {scope.last}.", [call])
    points = scope.ask(_TRAJECTORIES, ids=[row["customer_id"] for row in rows], step=scope.step)
    largest, last = rows[0], rows[-1]
    says = (
        f"The largest is {_name(largest)} with {scope.money(largest['mrr'])} a month, {share(largest['share'])} of "
        "MRR" + (f"; the first {len(rows)} bring {share(last['cumulative_share'])}." if len(rows) > 1 else ".")
    )
    unpaid = [row for row in rows if row["unpaid"]]
    if unpaid:
        says += f" Of {len(unpaid)} of them MRR, or a part of it, is unpaid."
    has_names = any(row["name"] != row["customer_id"] for row in rows)
    has_curves = scope.first < scope.last  # of a single day there is none
    return Section(
        "biggest",
        title,
        says,
        [call, "kpi.mrr_at(customer, date)"],
        [
            Figure(
                f"customer_{row['rank']}",
                f"MRR of {_name(row)} from {scope.first} to {scope.last}, now {scope.money(row['mrr'])}",
                charts.trajectory,
                _steps([point for point in points if point["customer_id"] == row["customer_id"]]),
                {"unpaid": row["unpaid"] > 0},
                caption=_caption(row),
                size="small",
            )
            for row in rows
        ]
        if has_curves
        else (),
        [
            Table(
                f"The {_biggest(len(rows))} on {scope.last}, {scope.currency} a month",
                [
                    Column("rank", "#", Kind.count),
                    Column("customer_id", "Customer"),
                    *([Column("name", "Name")] if has_names else []),
                    Column("mrr", "MRR", Kind.money),
                    Column("share", "Share", Kind.share),
                    Column("cumulative_share", "Cumulative", Kind.share),
                    Column("unpaid", "Unpaid", Kind.money),
                    Column("customer_since", "Since", Kind.label),
                ],
                rows,
                {"customer_id": lambda row: Customer(row["customer_id"], scope.last)},
            )
        ],
        notes=["Each curve stands on its own zero and reaches its own highest MRR."] if has_curves else (),
    )


def concentration(scope: Scope) -> Section:
    """How much rests on few?"""
    (row,) = CONCENTRATION.ask(scope.connection, {"day": scope.last})
    title, call = "Concentration", f"kpi.concentration('{scope.last}')"
    if not row["customers"]:
        return Section("concentration", title, f"Nobody pays on {scope.last}.", [call])
    top = counted(row["top_1_percent_customers"], "customer")
    measures = [
        ("Largest customer", text_of(row["top_1"], Kind.share), "share of MRR"),
        ("10 largest", text_of(row["top_10"], Kind.share), "share of MRR"),
        (f"Largest 1 % ({top})", text_of(row["top_1_percent"], Kind.share), "share of MRR"),
        ("Herfindahl index", f"{row['herfindahl']:.4f}", "sum of squared shares; 1: one customer brings all"),
        ("Effective customers", text_of(row["effective_customers"], Kind.units), "equal ones that would be as many"),
        ("Gini", f"{row['gini']:.3f}", "0: all pay the same; near 1: one pays nearly all"),
    ]
    if row["customers"] == 1:
        says = "A single customer brings all MRR."
    elif row["customers"] <= _LARGEST:
        says = f"Of {counted(row['customers'], 'customer')}, the largest brings {share(row['top_1'])} of MRR."
    else:
        says = (
            f"Of {counted(row['customers'], 'customer')}, the largest brings {share(row['top_1'])} of MRR, the ten "
            f"largest {share(row['top_10'])}, and the largest 1 % ({top}) {share(row['top_1_percent'])}."
        )
    return Section(
        "concentration",
        title,
        says,
        [call, f"kpi.concentration_curve('{scope.last}')"],
        [
            Figure(
                "concentration",
                "Share of MRR that the largest customers bring, by share of customers",
                charts.concentration,
                scope.ask(_CURVE),
                caption="Dashed: all pay the same. The farther above it, the more rests on few.",
            )
        ]
        if row["customers"] > 1
        else (),
        [
            Table(
                f"Concentration on {scope.last}",
                [Column("measure", "Measure"), Column("value", "Value", Kind.number), Column("meaning", "Meaning")],
                [dict(zip(("measure", "value", "meaning"), line, strict=True)) for line in measures],
            )
        ],
    )


def segments(scope: Scope) -> Section:
    """Of whom does the revenue consist?"""
    attributes = [row for row in ATTRIBUTES.ask(scope.connection) if row["distinct_values"]]
    shown = attributes[:_MOST_ATTRIBUTES]
    found = {
        row["name"]: [
            {
                **segment,
                "segment": "(no value)" if segment["segment"] is None else segment["segment"],
                "words": f"{text_of(segment['mrr'], Kind.units)}, {share(segment['share'])}",
            }
            for segment in SEGMENTS.ask(scope.connection, {"attribute": row["name"], "day": scope.last})
        ]
        for row in shown
    }
    found = {name: rows for name, rows in found.items() if rows}
    if not found:
        return Section("segments", "Segments", f"Nobody pays on {scope.last}.", ["kpi.attributes"])
    # Of a single segment there is nothing to compare: a sentence says it.
    several = {name: rows for name, rows in found.items() if len(rows) > 1}
    parts = [
        f"by {name.replace('_', ' ')}, {largest['segment']} brings {share(largest['share'])} of MRR"
        for name, rows in found.items()
        for largest in [max(rows, key=lambda row: row["mrr"])]
    ]
    notes = []
    if len(attributes) > len(shown):
        others = ", ".join(row["name"] for row in attributes[len(shown) :])
        notes.append(f"Not shown: {others}.")
    return Section(
        "segments",
        "Segments",
        f"{_sentence(parts)}.",
        [f"kpi.segment('{name}', '{scope.last}')" for name in found],
        [
            Figure(
                f"segment_{place}",
                f"MRR by {name}: " + ", ".join(f"{row['segment']} {share(row['share'])}" for row in rows[:3]),
                charts.segments,
                rows[:_MOST_SEGMENTS],
                caption=f"By {name.replace('_', ' ')}",
                size="medium",
            )
            for place, (name, rows) in enumerate(several.items(), 1)
        ],
        [_table(name, rows, scope) for name, rows in found.items()],
        notes=notes,
    )


def _table(name: str, rows: Sequence[Row], scope: Scope) -> Table:
    return Table(
        f"MRR by {name.replace('_', ' ')} on {scope.last}, {scope.currency} a month",
        [
            Column("segment", "Segment"),
            Column("customers", "Customers", Kind.count),
            Column("mrr", "MRR", Kind.money),
            Column("share", "Share", Kind.share),
            Column("arpa", "ARPA", Kind.money),
        ],
        rows[:_MOST_SEGMENTS],
        more=f"the first {_MOST_SEGMENTS} of {len(rows):,} segments" if len(rows) > _MOST_SEGMENTS else None,
    )


def _steps(points: Sequence[Row]) -> list[dict[str, object]]:
    """The first and the last point, and those where MRR is another than before: a curve of steps needs no others."""
    changes = [now for before, now in pairwise(points) if now["mrr"] != before["mrr"]]
    kept = [*points[:1], *changes, *(points[-1:] if points[-1] not in changes else [])]
    return [{"day": point["day"], "mrr": point["mrr"]} for point in kept]


def _caption(row: Row) -> str:
    """Who, how much, and how much of it is unpaid."""
    unpaid = f", unpaid {text_of(row['unpaid'], Kind.units)}" if row["unpaid"] else ""
    return f"{_name(row)}: {text_of(row['mrr'], Kind.units)}{unpaid}"


def _biggest(number: int) -> str:
    return "biggest customer" if number == 1 else f"{number} biggest customers"


def _name(row: Row) -> str:
    return row["name"] or row["customer_id"]


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]
