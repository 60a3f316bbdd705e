"""Asks schema ``kpi`` for all that a page shows. No metric is computed here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pgmrr.page.model import Page, Period, Section
from pgmrr.page.scope import Scope, scope_of
from pgmrr.page.sections import ahead, customers, headline, kept, left_out, revenue
from pgmrr.reports.report import Connection, reporting_currency
from pgmrr.show import Row

Make = Callable[[Scope], Section]

SECTIONS: tuple[Make, ...] = (
    headline.headline,
    revenue.mrr,
    revenue.waterfall,
    kept.retention,
    kept.cohorts,
    revenue.days,
    customers.biggest,
    customers.concentration,
    customers.segments,
    ahead.forecast,
    ahead.risks,
    left_out.left_out,
)

# These look at all that is known, whatever days are chosen. They are what takes longest to ask for.
WITHOUT_DAYS = (kept.cohorts, ahead.forecast, ahead.risks, left_out.left_out)

_LAST_BATCH = """
    select concat_ws(' of ', b.kind, nullif(b.source, b.kind)) as what, b.created_at as at
    from kpi.batches b
    where b.kind in ('import', 'simulation')
    order by b.batch_id desc
    limit 1
"""


def build(
    connection: Connection,
    period: Period,
    title: str | None = None,
    known: Mapping[Make, Section] = MappingProxyType({}),
) -> Page:
    """The page of a period: ask it in one transaction (``database.reading``), so that all fits together.

    Where no day of it is known, the page has no sections and ``explanation`` says why. Sections in ``known``
    are taken as they are: those of ``WITHOUT_DAYS`` stay true until the next batch.
    """
    scope, coverage = scope_of(connection, period)
    batch = last_batch(connection)
    database = connection.info.dbname
    return Page(
        title=title or database,
        database=database,
        currency=scope.currency if scope else reporting_currency(connection),
        first=scope.first if scope else None,
        last=scope.last if scope else None,
        batch=batch["what"] if batch else None,
        batch_at=batch["at"] if batch else None,
        explanation=coverage["explanation"],
        sections=[make(scope) if make not in known else known[make] for make in SECTIONS] if scope else [],
    )


def last_batch(connection: Connection) -> Row | None:
    """The last import or simulation: ``what`` it was, and when (``at``)."""
    return connection.execute(_LAST_BATCH).fetchone()
