"""What the reading commands ask, and which columns of the answer a table shows.

Every figure is computed in SQL (schema ``kpi``); here it is only selected.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from pgmrr import show
from pgmrr.plots import plot
from pgmrr.reports.report import Connection, Report, reporting_currency
from pgmrr.show import Column, Format, Kind, Row

MONTHLY = Report(
    """
    select
        to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label,
        month, first_on, last_on, opening, preexisting, new, reactivation, expansion, contraction, rounding, churn,
        closing, unpaid, customers_opening, customers_preexisting, customers_new, customers_reactivated,
        customers_churned, customers, growth, arpa, arr, is_whole, mrr_is_complete, churn_is_observable
    from kpi.mrr_monthly
    order by month
    """,
    [
        Column("label", "Month", Kind.label),
        Column("opening", "Opening", Kind.units),
        Column("preexisting", "Pre-\nexist.", Kind.change),
        Column("new", "New", Kind.change),
        Column("reactivation", "Reac-\ntiv.", Kind.change),
        Column("expansion", "Expan-\nsion", Kind.change),
        Column("contraction", "Con-\ntract.", Kind.change),
        Column("rounding", "Round-\ning", Kind.change),
        Column("churn", "Churn", Kind.change),
        Column("closing", "Closing", Kind.units),
        Column("growth", "Growth", Kind.growth),
        Column("customers", "Cust.", Kind.count),
        *(
            Column(name, name, Kind.money)
            for name in ("unpaid", "arpa", "arr")  # JSON and CSV only
        ),
    ],
    title="MRR by month, {currency} a month",
)

HEADLINE = Report(
    """
    select kpi, value, unit, change, change_unit, second_kpi, second_value, second_unit, first_on, last_on, meaning
    from kpi.headline
    order by place
    """,
    [Column("kpi", "KPI")],
)

COVERAGE = Report(
    """
    select is_truncated, first_invoice_on, observed_from, complete_through, covered_days, shortest_term_months,
        longest_term_months, mrr_complete_from, churn_observable_from, hidden_annual_mrr,
        (select min(reporting_currency) from kpi.currency) as currency, explanation
    from kpi.coverage
    """,
    [Column("hidden_annual_mrr", "hidden_annual_mrr", Kind.money)],
)

CUSTOMERS = Report("select known, ever_with_mrr, with_mrr, counted_on from kpi.customer_count", [])

FATES = Report(
    """
    select fate, detail, currency, invoices, total
    from kpi.invoice_fates
    union all
    select 'rejected', reason, null, count(*), null
    from kpi.rejected_rows
    group by reason
    order by fate, detail, currency
    """,
    [
        Column("fate", "Fate"),
        Column("detail", "Basis or reason"),
        Column("currency", "Cur."),
        Column("invoices", "Invoices", Kind.count),
        Column("total", "Total billed", Kind.money),
    ],
    "no invoices",
)

DAILY = Report("select day, closing as mrr from kpi.mrr_daily order by day", [], "no day is covered")

CUSTOMER_DAILY = Report(
    """
    select d.day::date as day, kpi.mrr_at(%(customer)s, d.day::date, %(currency)s) as mrr
    from kpi.coverage v
    cross join generate_series(v.observed_from, v.complete_through, interval '1 day') d (day)
    order by d.day
    """,
    [],
    "no day is covered",
)

CUSTOMER_AT = Report(
    """
    select u.customer_id, u.name, d.day, kpi.mrr_at(u.customer_id, d.day, %(currency)s) as mrr,
        coalesce(upper(%(currency)s), (select min(reporting_currency) from kpi.currency)) as currency
    from kpi.coverage v
    cross join lateral (select coalesce(%(day)s::date, v.complete_through) as day) d
    join kpi.customer u
        on u.customer_id = %(customer)s
    """,
    [
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("day", "Day"),
        Column("mrr", "MRR", Kind.money),
        Column("currency", "Cur."),
    ],
)

TOTAL_AT = Report(
    """
    select %(day)s::date as day, kpi.mrr_total_at(%(day)s::date, %(currency)s) as mrr,
        coalesce(upper(%(currency)s), (select min(reporting_currency) from kpi.currency)) as currency
    """,
    [Column("day", "Day"), Column("mrr", "MRR", Kind.money), Column("currency", "Cur.")],
)

EXPLAIN = Report(
    """
    select invoice_id, subscription_id, basis, starts_on, ends_on, net, amount, months, mrr, currency, status,
        file, line_number, batch_id, note
    from kpi.coverage v
    cross join lateral kpi.mrr_explain(%(customer)s, coalesce(%(day)s::date, v.complete_through))
    """,
    [
        Column("invoice_id", "Invoice"),
        Column("basis", "Basis"),
        Column("starts_on", "From"),
        Column("ends_on", "Until"),
        Column("net", "Net", Kind.money),
        Column("amount", "Amount", Kind.money),
        Column("months", "Months", Kind.count),
        Column("mrr", "MRR", Kind.money),
        Column("currency", "Cur."),
        Column("status", "Status"),
        Column("file", "File"),
        Column("line_number", "Line"),
        Column("batch_id", "Batch"),
        Column("note", "Note"),
    ],
    "no charge is in force that day",
)

MOVEMENTS = Report(
    """
    select effective_on, customer_id, name, kind, change, mrr_after, currency, change_in_currency
    from kpi.movements(%(first)s::date, %(last)s::date)
    """,
    [
        Column("effective_on", "Day"),
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("kind", "Kind"),
        Column("change", "Change", Kind.money),
        Column("mrr_after", "MRR after", Kind.money),
        Column("change_in_currency", "As billed", Kind.money, spare=1),
        Column("currency", "", spare=1),
    ],
    "no movements are known in that range",
    "Movements, {currency} a month",
    is_clipped=True,
)

RETENTION_MONTHLY = Report(
    """
    select to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label,
        month, first_on, last_on, opening, closing, customers_opening, customers_lost, customer_churn_rate,
        gross_mrr_churn_rate, net_mrr_churn_rate, nrr, grr, quick_ratio, arpa, ltv, is_whole, mrr_is_complete,
        churn_is_observable, note
    from kpi.retention_monthly
    order by month
    """,
    [
        Column("label", "Month", Kind.label),
        Column("customers_opening", "Cust.", Kind.count),
        Column("customers_lost", "Lost", Kind.count),
        Column("customer_churn_rate", "Customer\nchurn", Kind.share),
        Column("gross_mrr_churn_rate", "Gross MRR\nchurn", Kind.share),
        Column("net_mrr_churn_rate", "Net MRR\nchurn", Kind.share),
        Column("nrr", "NRR", Kind.share),
        Column("grr", "GRR", Kind.share),
        Column("quick_ratio", "Quick\nratio", Kind.ratio),
        Column("arpa", "ARPA", Kind.money),
        Column("ltv", "LTV", Kind.money),
    ],
    title="Churn and retention by month; ARPA and LTV in {currency}",
    is_clipped=True,
)

# Where a terminal has no room for all: amounts without cents.
RETENTION_NARROW = [
    replace(column, kind=Kind.units if column.kind is Kind.money else column.kind)
    for column in RETENTION_MONTHLY.columns
]

BIGGEST = Report(
    """
    select rank, customer_id, name, mrr, share, cumulative_share, unpaid, customer_since, rank_before, rank_change,
        coalesce(%(day)s::date, (select complete_through from kpi.coverage)) as day
    from kpi.biggest_customers(%(day)s::date, %(limit)s::integer)
    """,
    [
        Column("rank", "#", Kind.count),
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("mrr", "MRR", Kind.money),
        Column("share", "Share", Kind.share),
        Column("cumulative_share", "Cumul.", Kind.share, spare=1),
        Column("unpaid", "Unpaid", Kind.money),
        Column("customer_since", "Since", spare=2),
        Column("rank_change", "±", Kind.change),
    ],
    title="Biggest customers, {currency} a month",
    is_clipped=True,
)

ONE_OFF = Report(
    """
    select invoice_id, customer_id, name, issued_on, net, currency, status, reason, is_possible_replacement
    from kpi.one_off_revenue
    order by issued_on, invoice_id
    """,
    [
        Column("invoice_id", "Invoice"),
        Column("customer_id", "Customer", spare=2),
        Column("issued_on", "Issued"),
        Column("net", "Net", Kind.money),
        Column("currency", "Cur."),
        Column("status", "Status"),
        Column("reason", "Reason"),
        Column("is_possible_replacement", "Possible\nreplacement", spare=1),
    ],
    "no one-off invoices",
)

CREDITS = Report(
    """
    select invoice_id, customer_id, name, subscription_id, starts_on, ends_on, net, mrr, unmatched, currency
    from kpi.unmatched_credits
    order by starts_on, invoice_id
    """,
    [
        Column("invoice_id", "Invoice"),
        Column("customer_id", "Customer", spare=1),
        Column("starts_on", "From"),
        Column("ends_on", "Until", spare=2),
        Column("net", "Net", Kind.money),
        Column("mrr", "MRR\ntaken", Kind.money),
        Column("unmatched", "Unmatched", Kind.money),
        Column("currency", "Cur."),
    ],
    "every credit was matched",
)

SETTINGS = Report(
    "select name, value, meaning from kpi.settings",
    [Column("name", "Setting"), Column("value", "Value"), Column("meaning", "Meaning")],
)

SETTING_CHANGES = Report(
    """
    select change_id, changed_at, kind, name, old_value, new_value, changed_by, acted_as, is_starting_point
    from kpi.setting_changes
    order by change_id
    """,
    [
        Column("changed_at", "Changed", Kind.label),
        Column("name", "Setting"),
        Column("old_value", "From"),
        Column("new_value", "To"),
        Column("changed_by", "By"),
        Column("acted_as", "As"),
    ],
    "no setting was ever recorded",
)

RATES = Report(
    """
    select e.currency, e.per_euro, e.rate_on, e.source, c.factor, c.reporting_currency
    from kpi.exchange_rate e
    full join kpi.currency c
        on c.currency = e.currency
    order by e.currency
    """,
    [
        Column("currency", "Currency"),
        Column("per_euro", "For one euro"),
        Column("rate_on", "Day"),
        Column("source", "Source"),
        Column("reporting_currency", "Reports in"),
    ],
)

_UNLABELLED = ("unpaid", "arpa", "arr")


def monthly_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of the monthly table that say something about these rows."""
    optional = ("preexisting", "reactivation", "expansion", "contraction", "rounding")
    silent = {name for name in optional if all(abs(row[name]) < Decimal("0.5") for row in rows)}
    return [column for column in MONTHLY.columns if column.name not in silent | {*_UNLABELLED}]


def print_kpis(connection: Connection, format_: Format) -> None:
    """Print the three headline KPIs and the monthly waterfall; as CSV, the KPIs alone."""
    headline = HEADLINE.ask(connection)
    monthly = MONTHLY.ask(connection)
    customers = CUSTOMERS.ask(connection)[0]
    coverage = COVERAGE.ask(connection)[0]
    if format_ is Format.json:
        show.print_json(
            {
                "headline": show.plain(headline, HEADLINE.columns),
                "monthly": show.plain(monthly, MONTHLY.columns),
                "customers": customers,
                "coverage": show.plain([coverage], COVERAGE.columns)[0],
            }
        )
        return
    if format_ is Format.csv:
        show.print_csv(show.plain(headline, HEADLINE.columns), [column.name for column in HEADLINE.columns])
        return
    if not headline:
        show.note(coverage["explanation"])
        return

    window = headline[0]
    days = (window["last_on"] - window["first_on"]).days + 1
    show.out.print(f"[bold]Health of the business[/], {days} days from {window['first_on']} to {window['last_on']}\n")
    show.out.print(
        show.table(
            [headline_line(row) for row in headline],
            [Column("kpi", ""), Column("value", ""), Column("change", ""), Column("second", "")],
        ),
    )
    show.out.print()
    for row in headline:
        show.paragraph(f"{row['kpi']}: {row['meaning']}")
    show.out.print()
    show.out.print(_monthly_table(monthly, reporting_currency(connection)))
    show.out.print()
    show.paragraph(
        f"{customers['known']:,} customers are known, {customers['ever_with_mrr']:,} of them ever had MRR, and "
        f"{customers['with_mrr']:,} have it on {customers['counted_on']}."
    )
    if any(not row["is_whole"] for row in monthly):
        show.paragraph("* a month of which only a part is covered")
    if monthly[-1]["unpaid"] > 0:
        share = show.text_of(monthly[-1]["unpaid"] / monthly[-1]["closing"], Kind.share)
        unpaid = show.text_of(monthly[-1]["unpaid"], Kind.units)
        show.paragraph(f"Of the last closing, {unpaid} ({share}) rests on invoices that are open or drafts.")
    print_coverage(coverage)


def print_plot(connection: Connection, days: Sequence[Row], title: str) -> None:
    """Draw MRR by day, and say what the columns are."""
    if not days:
        show.note(DAILY.empty)
        note_coverage(connection)
        return
    drawn = plot({row["day"]: row["mrr"] for row in days}, show.out.width)
    show.out.print(Text(title, style="bold"))
    for line in drawn.lines:
        show.out.print(Text(line), no_wrap=True)
    column = "A column is a day" if drawn.days == 1 else f"A column is {drawn.days} days, as high as MRR on the last"
    show.paragraph(f"{column}; · where nothing is covered, which is no 0.")
    print_coverage(COVERAGE.ask(connection)[0])


def note_coverage(connection: Connection) -> None:
    """Say on stderr on which days figures are known."""
    show.note(COVERAGE.ask(connection)[0]["explanation"])


def print_coverage(coverage: Row) -> None:
    """Print in words what the data can say and what they cannot."""
    show.paragraph(coverage["explanation"])
    if coverage["hidden_annual_mrr"]:
        hidden = f"{show.text_of(coverage['hidden_annual_mrr'], Kind.units)} {coverage['currency']}"
        show.paragraph(f"Annual customers not billed yet may hide about {hidden} of MRR more.")


def _monthly_table(monthly: Sequence[Row], currency: str) -> Table:
    """The waterfall by month; in thousands or millions where units would take more room than there is."""
    columns = monthly_columns(monthly)
    table = show.table(monthly, columns, f"MRR by month, {currency} a month")
    scaled_kinds = {Kind.units: Kind.scaled, Kind.change: Kind.scaled_change}
    scaled_columns = [replace(column, kind=scaled_kinds.get(column.kind, column.kind)) for column in columns]
    money = [column.name for column in columns if column.kind in scaled_kinds]
    for scale, word in ((1_000, "thousand"), (1_000_000, "million")):
        if show.width(table) <= show.out.width:
            break
        rows = [{**row, **{name: row[name] / scale for name in money}} for row in monthly]
        table = show.table(rows, scaled_columns, f"MRR by month, {word} {currency} a month")
    return table


def headline_line(row: Row) -> dict[str, str]:
    """A headline KPI in words: kpi, value, change and second."""
    kinds = {
        "share": Kind.share,
        "ratio": Kind.ratio,
        "sessions": Kind.count,
        "sessions per customer": Kind.ratio,
    }
    value = show.text_of(row["value"], kinds.get(row["unit"], Kind.money))
    if row["unit"] not in ("share", "ratio"):
        value += f" {row['unit']}"
    return {
        "kpi": row["kpi"],
        "value": value,
        "change": _change(row),
        "second": f"{row['second_kpi']} {show.text_of(row['second_value'], kinds.get(row['second_unit'], Kind.money))}",
    }


def _change(row: Row) -> str:
    change = row["change"]
    if row["kpi"] == "MRR":
        return "growth unknown" if change is None else f"growth {show.text_of(change, Kind.growth)}"
    if change is None:
        return "no window before it"
    if row["change_unit"] == "points":
        return f"{change * 100:+.1f} points"
    return f"{change:+.2f}"
