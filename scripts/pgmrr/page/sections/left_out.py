"""What no figure holds, and why."""

from collections.abc import Sequence

from pgmrr.page.model import Section, Table
from pgmrr.page.scope import Scope, counted
from pgmrr.reports import FATES
from pgmrr.show import Column, Kind, Row

_ONE_OFF = """
    select status, reason, currency, count(*) as invoices, sum(net) as net, max(net) as largest
    from kpi.one_off_revenue
    group by status, reason, currency
    order by status, reason, currency
"""

_CREDITS = """
    select currency, count(*) as credits, sum(unmatched) as unmatched
    from kpi.unmatched_credits
    group by currency
    order by currency
"""

_REJECTED = """
    select r.reason, count(*) as rows, min(m.meaning) as meaning
    from kpi.rejected_rows r
    left join kpi.reject_reasons m
        on m.reason = r.reason
    group by r.reason
    order by rows desc, r.reason
"""

_WARNINGS = """
    select warning, count(*) as times, min(detail) as example
    from kpi.warnings
    group by warning
    order by times desc, warning
"""


def left_out(scope: Scope) -> Section:
    """What was left out, and what can the data not say?"""
    fates = FATES.ask(scope.connection)
    charges, once, uncounted = (_invoices(fates, fate) for fate in ("charge", "one-off", "not counted"))
    one_off, credits, rejected, warnings = map(scope.ask, (_ONE_OFF, _CREDITS, _REJECTED, _WARNINGS))
    rows, unmatched = sum(row["rows"] for row in rejected), sum(row["credits"] for row in credits)
    parts = [
        f"MRR rests on {charges:,} of {counted(charges + once + uncounted, 'invoice')}",
        f"one-off revenue on {once:,}" if once else "none is one-off revenue",
        f"{counted(rows, 'row')} could not be read" if rows else "no row was rejected",
        f"{counted(unmatched, 'credit')} found no charge to take from" if unmatched else "every credit was matched",
    ]
    return Section(
        "left_out",
        "What was left out",
        f"{', '.join(parts)}.",
        [
            "kpi.coverage",
            "kpi.invoice_fates",
            "kpi.one_off_revenue",
            "kpi.unmatched_credits",
            "kpi.rejected_rows",
            "kpi.warnings",
        ],
        tables=[
            table
            for table in (
                Table(
                    "What became of the invoices; totals as billed, with taxes",
                    [
                        Column("fate", "Fate"),
                        Column("detail", "Basis or reason"),
                        Column("currency", "Currency", Kind.label),
                        Column("invoices", "Invoices", Kind.count),
                        Column("total", "Total billed", Kind.money),
                    ],
                    fates,
                    is_open=True,
                ),
                Table(
                    "One-off revenue: counted, but it does not recur",
                    [
                        Column("status", "Status", Kind.label),
                        Column("reason", "Reason"),
                        Column("currency", "Currency", Kind.label),
                        Column("invoices", "Invoices", Kind.count),
                        Column("net", "Net", Kind.money),
                        Column("largest", "Largest", Kind.money),
                    ],
                    one_off,
                ),
                Table(
                    "Credits that found no running charge to take away from",
                    [
                        Column("currency", "Currency", Kind.label),
                        Column("credits", "Credits", Kind.count),
                        Column("unmatched", "Unmatched MRR", Kind.money),
                    ],
                    credits,
                ),
                Table(
                    "Rows that could not be read",
                    [Column("reason", "Reason"), Column("rows", "Rows", Kind.count), Column("meaning", "Meaning")],
                    rejected,
                ),
                Table(
                    "What looks wrong in the facts; none of it changes a figure",
                    [Column("warning", "Warning"), Column("times", "Times", Kind.count), Column("example", "Example")],
                    warnings,
                ),
            )
            if table.rows
        ],
        notes=[scope.coverage["explanation"]],
    )


def _invoices(fates: Sequence[Row], fate: str) -> int:
    return sum(row["invoices"] for row in fates if row["fate"] == fate)
