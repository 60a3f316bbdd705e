"""The movements behind a bar of the waterfall, page by page."""

from pgmrr.page.model import Customer, Section, Table
from pgmrr.page.scope import Scope, counted
from pgmrr.show import Column, Kind, text_of
from pgmrr.web.filters import MovementsAsked

_ROWS = 100  # on a page

_COUNT = """
    select count(*) as movements, count(distinct customer_id) as customers, sum(change) as change
    from kpi.movements(%(first)s::date, %(last)s::date)
    where %(kind)s::text is null
        or kind = %(kind)s
"""

_PAGE = """
    select effective_on, customer_id, name, kind, change, mrr_after, currency, change_in_currency
    from kpi.movements(%(first)s::date, %(last)s::date)
    where %(kind)s::text is null
        or kind = %(kind)s
    order by effective_on, customer_id collate "C", currency collate "C"
    limit %(rows)s
    offset %(offset)s
"""


def section_of(scope: Scope, asked: MovementsAsked) -> tuple[Section, bool]:
    """A page of movements, and whether more come after it."""
    [total] = scope.ask(_COUNT, kind=asked.kind)
    offset = (asked.page - 1) * _ROWS
    rows = scope.ask(_PAGE, kind=asked.kind, rows=_ROWS, offset=offset)
    what = f"movement{'s' * (total['movements'] != 1)}" + (f" of kind {asked.kind}" if asked.kind else "")
    says = f"{total['movements']:,} {what} from {scope.first} to {scope.last}"
    if total["movements"]:
        by = counted(total["customers"], "customer")
        says += f", by {by}: {text_of(total['change'], Kind.change_cents)} {scope.currency} a month in all"
    kind = f" where kind = '{asked.kind}'" if asked.kind else ""
    has_names = any(row["name"] != row["customer_id"] for row in rows)
    table = Table(
        f"Movements {offset + 1:,} to {offset + len(rows):,} of {total['movements']:,}; change and MRR after it in "
        f"{scope.currency} a month",
        [
            Column("effective_on", "Day", Kind.label),
            Column("customer_id", "Customer"),
            *([Column("name", "Name")] if has_names else []),
            Column("kind", "Kind", Kind.label),
            Column("change", "Change", Kind.change_cents),
            Column("mrr_after", "MRR after", Kind.money),
            Column("change_in_currency", "As billed", Kind.change_cents),
            Column("currency", "Currency", Kind.label),
        ],
        rows,
        {"customer_id": lambda row: Customer(row["customer_id"], row["effective_on"])},
        is_open=True,
    )
    section = Section(
        "movements",
        f"Movements: {asked.kind}" if asked.kind else "Movements",
        f"{says}.",
        [f"kpi.movements('{scope.first}', '{scope.last}'){kind}"],
        tables=[table] if rows else (),
    )
    return section, offset + len(rows) < total["movements"]
