"""What the commands days, profiles, unpaid and engagement ask, and how a person reads the answers.

Every figure is computed in SQL (schema ``kpi``); here it is only selected and laid out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pgmrr import show
from pgmrr.reports.report import Connection, Report, reporting_currency
from pgmrr.show import Column, Format, Kind, Row

SIGNIFICANT = Report(
    """
    select first_on, last_on, change, expected, deviation, score, closing, compared_with, periods, spread, spread_is,
        kinds, drivers, churn_is_observable
    from kpi.significant_periods(%(grain)s, %(first)s::date, %(last)s::date, %(threshold)s::numeric)
    """,
    [
        Column("first_on", "From", Kind.label),
        Column("change", "Change", Kind.change),
        Column("expected", "Expected", Kind.change),
        Column("score", "Score", Kind.ratio),
        Column("compared_with", "Compared with", Kind.label),
        Column("who", "What made half of\nthe difference or more"),
    ],
    "nothing stands out in that range",
    is_clipped=True,
)

PROFILES = Report(
    """
    select metric, unit, profile, value, numerator, denominator, differs, first_on, last_on, definition, note
    from kpi.compare_profiles(%(first)s::date, %(last)s::date)
    """,
    [],
    "nothing is known in that range",
    is_clipped=True,
)

# The losses of a range before the days that Stripe looks at.
LEFT_OUT = Report(
    """
    select count(distinct l.customer_id) as customers, min(l.effective_on) as first_on, max(l.effective_on) as last_on
    from kpi.ledger l
    where l.kind = 'churn'
        and l.effective_on between %(first)s::date and %(last)s::date - 1
    """,
    [],
)

DIFFERENCES = Report(
    """
    select metric, profile, customer_id, name, numerator, simple_numerator, denominator, simple_denominator, events
    from kpi.profile_differences(%(first)s::date, %(last)s::date)
    """,
    [
        Column("metric", "Metric", Kind.label),
        Column("profile", "Profile", Kind.label),
        Column("customer_id", "Customer"),
        Column("name", "Name", spare=2),
        Column("numerator", "Counts\nthere", Kind.number),
        Column("simple_numerator", "under\nsimple", Kind.number),
        Column("denominator", "In base\nthere", Kind.number, spare=1),
        Column("simple_denominator", "under\nsimple", Kind.number, spare=1),
        Column("events", "Movements"),
    ],
    "all profiles count the same customers in that range",
    "Customers who count otherwise than under simple",
    is_clipped=True,
)

DEFINITIONS = Report(
    "select profile, metric, unit, definition, note, source, read_on from kpi.profiles",
    [
        Column("profile", "Profile", Kind.label),
        Column("metric", "Metric", Kind.label),
        Column("definition", "Definition"),
        Column("note", "Note"),
    ],
)

BILLED = Report(
    """
    select to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label,
        month, invoices, invoices_billed, invoices_paid, invoices_open, invoices_late, invoices_uncollectible,
        invoices_void, invoices_draft, invoices_credited, invoices_free, billed, paid, open, late, uncollectible, void,
        draft, credited, paid_share, open_share, late_share, uncollectible_share, void_share, draft_share, is_whole
    from kpi.billing_health_monthly
    """,
    [
        Column("label", "Month", Kind.label),
        Column("invoices_billed", "Inv.", Kind.count),
        Column("billed", "Billed", Kind.units),
        Column("paid_share", "Paid", Kind.share),
        Column("open", "Open", Kind.units),
        Column("open_share", "", Kind.share),
        Column("late", "of it\nlate", Kind.units),
        Column("uncollectible", "Uncol-\nlect.", Kind.units),
        Column("uncollectible_share", "", Kind.share),
        Column("void", "Void", Kind.units),
        Column("void_share", "", Kind.share),
        Column("draft", "Drafts", Kind.units),
        Column("credited", "Cred-\nited", Kind.units),
    ],
    "no invoices",
    "What became of the money that was billed, by month of the invoice, {currency} with taxes",
)

# Where a terminal has no room for all: of what is neither paid nor open, the shares alone.
_NARROW_HEADINGS = {"uncollectible_share": "Uncol-\nlect.", "void_share": "Void"}
_BILLED_NARROW = [
    replace(column, heading=_NARROW_HEADINGS.get(column.name, column.heading))
    for column in BILLED.columns
    if column.name not in ("late", "uncollectible", "void")
]

BILLED_IN_ALL = Report(
    """
    select 'All' as label, sum(invoices_billed) as invoices_billed, sum(billed) as billed,
        sum(paid) / nullif(sum(billed), 0) as paid_share, sum(open) as open,
        sum(open) / nullif(sum(billed), 0) as open_share, sum(late) as late, sum(uncollectible) as uncollectible,
        sum(uncollectible) / nullif(sum(billed), 0) as uncollectible_share, sum(void) as void,
        sum(void) / nullif(sum(billed) + sum(void), 0) as void_share, sum(draft) as draft, sum(credited) as credited
    from kpi.billing_health_monthly
    """,
    [],
)

NEVER_PAID = Report(
    """
    select customer_id, name, mrr, share, open, draft, uncollectible, invoices_open, since, may_have_paid_before
    from kpi.never_paid
    """,
    [
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("mrr", "MRR", Kind.money),
        Column("share", "Share", Kind.share),
        Column("open", "Open", Kind.money),
        Column("invoices_open", "Inv.", Kind.count),
        Column("since", "Since", Kind.label),
    ],
    "every customer with MRR has paid",
    "Customers with MRR who never paid, {currency}",
)

NEVER_PAID_IN_ALL = Report(
    "select count(*) as customers, sum(mrr) as mrr, sum(share) as share from kpi.never_paid",
    [],
)

DRAFTS = Report(
    """
    select invoice_id, customer_id, name, subscription_id, issued_on, age_days, currency, total, mrr, batch_id,
        line_number
    from kpi.stale_drafts
    """,
    [
        Column("invoice_id", "Invoice"),
        Column("customer_id", "Customer"),
        Column("issued_on", "Issued", Kind.label),
        Column("age_days", "Days", Kind.count),
        Column("total", "Total", Kind.money),
        Column("mrr", "MRR", Kind.money),
        Column("currency", "", Kind.label),
    ],
    "no draft is more than 3 days old",
    "Drafts above 0 that were never finalized",
)

REPLACEMENTS = Report(
    """
    select invoice_id, customer_id, name, issued_on, status, currency, total, net, replaced_invoice_id,
        replaced_subscription_id, replaced_issued_on, replaced_status, replaced_currency, replaced_total, is_same_total,
        days_after
    from kpi.possible_replacements
    """,
    [
        Column("invoice_id", "One-off"),
        Column("issued_on", "Issued", Kind.label),
        Column("total", "Total", Kind.money),
        Column("replaced_invoice_id", "May replace"),
        Column("replaced_status", "", Kind.label),
        Column("replaced_total", "Total", Kind.money),
        Column("currency", "", Kind.label),
    ],
    "no one-off looks like the replacement of a void invoice",
    "One-offs that may replace void or uncollectible invoices",
)

# What goes where a terminal has no room for all: ids are never cut.
_SPARE = {"stale_drafts": ("age_days",), "possible_replacements": ("issued_on", "replaced_status")}

ENGAGEMENT = Report(
    """
    select to_char(e.month, 'YYYY-MM') as label, e.month, e.first_on, e.last_on, e.sessions, e.customers_with_sessions,
        e.customers_active, e.sessions_per_customer, d.customers_without_sessions, d.minimum, d.tenth, d.quarter,
        d.median, d.three_quarters, d.nine_tenths, d.maximum
    from kpi.engagement_monthly e
    left join kpi.engagement_distribution d
        on d.month = e.month
    order by e.month
    """,
    [
        Column("label", "Month", Kind.label),
        Column("sessions", "Sessions", Kind.count),
        Column("customers_active", "Active", Kind.count),
        Column("customers_without_sessions", "without\nsessions", Kind.count),
        Column("sessions_per_customer", "Sessions per\nactive customer", Kind.ratio),
        Column("tenth", "10 %", Kind.count),
        Column("quarter", "25 %", Kind.count),
        Column("median", "50 %", Kind.count),
        Column("three_quarters", "75 %", Kind.count),
        Column("nine_tenths", "90 %", Kind.count),
        Column("maximum", "Most", Kind.count),
    ],
    "this database holds no sessions",
    "Sessions by month; 10 % to 90 %: the sessions that so many of the active customers do not pass",
)

AT_RISK = Report(
    """
    select customer_id, name, mrr, sessions_before, sessions, change, last_used_on
    from kpi.usage_at_risk(%(day)s::date)
    """,
    [
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("mrr", "MRR", Kind.money),
        Column("sessions_before", "Before", Kind.count),
        Column("sessions", "Now", Kind.count),
        Column("change", "Change", Kind.growth),
        Column("last_used_on", "Last used", Kind.label),
    ],
    "no customer is known whose sessions fell by half or more",
    "Customers whose sessions fell by half or more, 30 days against the 30 before; MRR in {currency}",
)

USAGE_AND_CHURN = Report(
    """
    select first_month, last_month, customer_months, fell_churned, fell_stayed, steady_churned, steady_stayed,
        fell_churn_rate, steady_churn_rate, odds_ratio, odds_ratio_low, odds_ratio_high, method, chi_squared,
        is_related, statement
    from kpi.usage_and_churn()
    """,
    [],
)

OBSERVABLE = Report(
    "select churn_observable_from, churn_observable_from > observed_from as is_later from kpi.coverage",
    [],
)

_MEAN = "mean absolute deviation"
_GRAINS = {"day": "Days", "week": "Weeks", "month": "Months"}
_PROFILES = {"simple": "Simple", "stripe": "Stripe", "chartmogul": "ChartMogul", "profitwell": "ProfitWell"}
_UNITS = {"customers": Kind.count, "share": Kind.share, "currency": Kind.money}
_METRICS = {
    "customers_new": "New customers",
    "customers_churned": "Churned customers",
    "customer_churn_rate": "Customer churn rate",
    "churned_mrr": "Churned MRR",
    "gross_mrr_churn_rate": "Gross MRR churn",
    "net_mrr_churn_rate": "Net MRR churn",
    "arpa": "ARPA",
    "ltv": "LTV",
}


def print_significant(connection: Connection, format_: Format, asked: Mapping[str, object]) -> bool:
    """Print unusual days, weeks or months, and who made them; false where there is none.

    ``asked`` holds grain, threshold, and the first and the last day.
    """
    found = SIGNIFICANT.ask(connection, asked)
    if format_ is not Format.table:
        columns = [Column(name, name, Kind.money) for name in ("change", "expected", "deviation", "closing", "spread")]
        show.rows(found, columns, format_)
        return bool(found)
    grain = str(asked["grain"])
    title = f"{_GRAINS[grain]} in which MRR changed unusually, {reporting_currency(connection)} a month"
    show.rows(
        [{**row, "who": drivers_of(row)} for row in found], SIGNIFICANT.columns, format_, title, SIGNIFICANT.empty
    )
    still = dict.fromkeys(row["compared_with"] for row in found if row["spread_is"] == _MEAN)
    if still:
        more = " --grain month looks at longer stretches." if grain != "month" else ""
        show.paragraph(f"Most {', '.join(still)} change by the same: compared by mean deviation.{more}")
    (known,) = OBSERVABLE.ask(connection)
    if found and known["is_later"]:
        show.paragraph(
            f"Before {known['churn_observable_from']} churn is not observable: changes of those days lack what was "
            "lost, and so do the expected values, which are drawn from them too."
        )
    return bool(found)


def print_profiles(connection: Connection, format_: Format, first: date | None, last: date | None) -> bool:
    """Print the metrics of a range under each profile, side by side; false where nothing is known."""
    found = PROFILES.ask(connection, {"first": first, "last": last})
    if format_ is not Format.table or not found:
        show.rows(found, PROFILES.columns, format_, None, PROFILES.empty)
        return bool(found)
    range_ = next(row for row in found if row["profile"] == "simple")
    show.out.print(
        show.table(
            _side_by_side(found),
            [
                Column("metric", "", Kind.label),
                *(Column(name, heading, Kind.number) for name, heading in _PROFILES.items()),
            ],
            f"{range_['first_on']} to {range_['last_on']}, amounts in {reporting_currency(connection)}",
        )
    )
    show.out.print()
    stripe = next(row for row in found if row["profile"] == "stripe")
    if stripe["first_on"] != range_["first_on"]:
        show.paragraph(f"Stripe looks at 30 days always: {stripe['first_on']} to {stripe['last_on']}.")
        _say_what_stripe_leaves_out(connection, range_["first_on"], stripe["first_on"])
    simple = {row["metric"]: row["value"] for row in found if row["profile"] == "simple"}
    if simple["churned_mrr"] and simple["customers_churned"] == 0:
        show.paragraph(
            "Simple: MRR churned and no customer of the opening is gone: who left had come in the range, or came back."
        )
    for reason in dict.fromkeys(row["note"] for row in found if row["value"] is None and row["definition"]):
        whom = dict.fromkeys(
            _PROFILES[row["profile"]]
            for row in found
            if row["value"] is None and row["definition"] and row["note"] == reason
        )
        show.paragraph(f"{', '.join(whom)}: {reason}.")
    if any(row["definition"] is None for row in found):
        show.paragraph("Other dashes: no definition found in what was read, see pgmrr profiles --definitions.")
    if any(row["differs"] for row in found):
        show.paragraph("* differs from simple, be it by cents; who makes the difference: pgmrr profiles --customers")
    return True


def print_differences(connection: Connection, format_: Format, first: date | None, last: date | None) -> bool:
    """Print who counts otherwise than under simple, and by how much; false where there is nobody."""
    found = DIFFERENCES.ask(connection, {"first": first, "last": last})
    if format_ is not Format.table:
        amounts = ("numerator", "simple_numerator", "denominator", "simple_denominator")
        show.rows(found, [Column(name, name, Kind.money) for name in amounts], format_)
        return bool(found)
    show.rows([_difference(row) for row in found], DIFFERENCES.columns, format_, DIFFERENCES.title, DIFFERENCES.empty)
    return bool(found)


def print_definitions(connection: Connection, format_: Format) -> None:
    """Print how each profile defines each metric, and where that stands."""
    found = DEFINITIONS.ask(connection)
    show.rows(found, DEFINITIONS.columns, format_)
    if format_ is Format.table:
        show.out.print()
        for (profile, source), read_on in {(row["profile"], row["source"]): row["read_on"] for row in found}.items():
            when = f" ({read_on})" if read_on else ""
            show.out.print(f"{_PROFILES[profile]}: {source}{when}", soft_wrap=True)


def print_unpaid(connection: Connection, format_: Format, limit: int) -> None:
    """Print what became of billed money, who never paid, forgotten drafts and replaced invoices; as CSV, by month."""
    monthly = BILLED.ask(connection)
    lists = {
        "never_paid": (NEVER_PAID, NEVER_PAID.ask(connection)),
        "stale_drafts": (DRAFTS, DRAFTS.ask(connection)),
        "possible_replacements": (REPLACEMENTS, REPLACEMENTS.ask(connection)),
    }
    if format_ is Format.json:
        show.print_json(
            {
                "monthly": show.plain(monthly, BILLED.columns),
                **{name: show.plain(found, report.columns) for name, (report, found) in lists.items()},
            }
        )
        return
    shown = [*monthly, *BILLED_IN_ALL.ask(connection)] if monthly and format_ is Format.table else monthly
    columns = show.fitting(shown, BILLED.columns, _BILLED_NARROW) if format_ is Format.table else BILLED.columns
    show.rows(shown, columns, format_, BILLED.heading(connection), BILLED.empty)
    if format_ is Format.csv or not monthly:
        return
    if any(not row["is_whole"] for row in monthly):
        show.paragraph("* a month of which only a part is covered")
    show.paragraph(
        "Billed is paid + open + uncollectible, and these shares are of it; void was cancelled, its share is of billed "
        "and void; drafts are not billed yet."
    )
    for name, (report, found) in lists.items():
        shown = [row for row in found if row["total"]] if report is DRAFTS else found
        show.out.print()
        fewer = [column for column in report.columns if column.name not in _SPARE.get(name, ())]
        columns = show.fitting(shown[:limit], report.columns, fewer)
        show.rows(shown[:limit], columns, format_, report.heading(connection), report.empty)
        _say_what_is_left(shown, limit)
        if report is NEVER_PAID and shown:
            (total,) = NEVER_PAID_IN_ALL.ask(connection)
            show.paragraph(
                f"In all: {total['customers']:,} with {show.text_of(total['mrr'], Kind.money)} a month, "
                f"{show.text_of(total['share'], Kind.share)} of MRR."
            )


def print_engagement(connection: Connection, format_: Format, day: date | None, limit: int) -> None:
    """Print sessions by month, whose fell, and whether that tells of churn; as CSV, by month."""
    monthly = ENGAGEMENT.ask(connection)
    at_risk = AT_RISK.ask(connection, {"day": day})
    (relation,) = USAGE_AND_CHURN.ask(connection)
    if format_ is Format.json:
        show.print_json(
            {
                "monthly": show.plain(monthly, ENGAGEMENT.columns),
                "at_risk": show.plain(at_risk, AT_RISK.columns),
                "usage_and_churn": show.plain([relation], USAGE_AND_CHURN.columns)[0],
            }
        )
        return
    show.rows(monthly, ENGAGEMENT.columns, format_, ENGAGEMENT.heading(connection), ENGAGEMENT.empty)
    if format_ is Format.csv or not monthly:
        return
    show.out.print()
    show.rows(at_risk[:limit], AT_RISK.columns, format_, AT_RISK.heading(connection), AT_RISK.empty)
    _say_what_is_left(at_risk, limit)
    show.out.print()
    show.paragraph(relation["statement"])


def drivers_of(row: Row) -> str:
    """What made at least half of a deviation: the kinds, and the largest three customers."""
    drivers = row["drivers"]
    if not drivers:
        return "what usually happens did not"
    kinds = ", ".join(f"{kind['kind']} {show.text_of(kind['change'], Kind.change)}" for kind in row["kinds"])
    is_plain = len(row["kinds"]) == 1 and all(driver["kind"] == row["kinds"][0]["kind"] for driver in drivers)
    named = [
        f"{driver['name'] or driver['customer_id']}{'' if is_plain else ' ' + driver['kind']} "
        f"{show.text_of(driver['change'], Kind.change)}"
        for driver in drivers[:3]
    ]
    more = f" and {len(drivers) - 3:,} more" if len(drivers) > 3 else ""
    return f"{kinds}: {', '.join(named)}{more}"


def _say_what_stripe_leaves_out(connection: Connection, first: date, until: date) -> None:
    """Print how many customers left in the range before the 30 days of Stripe, and when."""
    (lost,) = LEFT_OUT.ask(connection, {"first": first, "last": until})
    if lost["customers"]:
        when = f"on {lost['first_on']}"
        if lost["first_on"] != lost["last_on"]:
            when = f"from {lost['first_on']} to {lost['last_on']}"
        customers = f"{lost['customers']:,} customer{'s' * (lost['customers'] != 1)}"
        show.paragraph(f"So Stripe leaves out the losses of the range before: {customers} {when}.")


def _difference(row: Row) -> dict[str, object]:
    """A difference as a person reads it: customers as whole numbers, amounts with cents."""
    kind = Kind.units if row["metric"].startswith("customer") else Kind.money
    amounts = ("numerator", "simple_numerator", "denominator", "simple_denominator")
    return {
        **row,
        "metric": _METRICS[row["metric"]],
        "profile": _PROFILES[row["profile"]],
        **{name: show.text_of(row[name], kind) for name in amounts},
    }


def _side_by_side(found: Sequence[Row]) -> list[dict[str, str]]:
    lines: dict[str, dict[str, str]] = {}
    for row in found:
        value = row["value"]
        if value is not None and row["unit"] == "customers":
            value = int(value)
        shown = show.text_of(value, _UNITS[row["unit"]]) + ("*" if row["differs"] else "")
        lines.setdefault(row["metric"], {"metric": _METRICS[row["metric"]]})[row["profile"]] = shown
    return list(lines.values())


def _say_what_is_left(found: Sequence[Row], limit: int) -> None:
    if len(found) > limit:
        show.paragraph(f"… and {len(found) - limit:,} more: --limit {len(found)}, or --format json")
