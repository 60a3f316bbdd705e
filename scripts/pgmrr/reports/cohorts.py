"""Cohorts as a triangle: a row a cohort, a column a month, a colour for what was kept."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pgmrr import show
from pgmrr.charts import heat
from pgmrr.reports.report import Report
from pgmrr.show import Column, Kind, Row

COHORTS = Report(
    """
    select cohort_name, cohort, month_number, month, last_on, cohort_customers, customers, mrr, customer_share,
        mrr_share, customers_at_base, is_whole, mrr_is_complete, churn_is_observable, note
    from kpi.cohort_retention(%(basis)s)
    """,
    [Column("cohort_name", "Cohort", Kind.label), Column("mrr", "MRR", Kind.money)],
    "there are no cohorts yet",
    is_clipped=True,
)

# Where not all months of life fit beside each other, those that people ask for.
_LANDMARKS = (0, 1, 2, 3, 6, 9, 12, 18, *range(24, 1200, 12))

_LABELS = ("Cohort", "Cust.", "Paying")


def print_triangle(rows: Sequence[Row], basis: str, measure: str, is_absolute: bool, currency: str) -> None:
    """Print ``customers`` or ``mrr`` of the cohorts, as they are or as a share of the first month observed.

    Where shares are not of a cohort's customers, as by ``signup``, those that they are of stand
    beside: the customers with MRR in that month.
    """
    # Cohorts that began before the history have no month 0 to stand below each other by.
    by_life = all(row["month_number"] == 0 for row in _first_rows(rows))
    axis = "month_number" if by_life else "month"
    has_base = not is_absolute and any(row["customers_at_base"] not in (None, row["cohort_customers"]) for row in rows)
    columns = sorted({row[axis] for row in rows})
    largest = max(row["mrr"] for row in rows) if measure == "mrr" else 0
    for scale, word in ((1, ""), (1_000, "thousand "), (1_000_000, "million ")):
        unit = f"{word}{currency} a month"
        cells = {(row["cohort_name"], row[axis]): _cell(row, measure, is_absolute, scale) for row in rows}
        table = _table(rows, columns, cells, by_life, has_base)
        if not is_absolute or largest < 10_000 * scale or show.width(table) <= show.out.width:
            break
    shown = _those_that_fit(rows, columns, cells, by_life, has_base)
    if len(shown) < len(columns):
        table = _table(rows, shown, cells, by_life, has_base)

    what = "customers" if measure == "customers" else "MRR"
    if not is_absolute and basis == "signup":
        what = f"{'customers with MRR' if measure == 'customers' else 'MRR'}, in % of the first month observed"
    elif not is_absolute:
        what += " kept, in % of the first month observed"
    elif measure == "mrr":
        what += f", {unit}"
    show.out.print(f"[bold]Cohorts by {'month of life' if by_life else 'month'}: {what}[/]")
    show.out.print(table)
    show.out.print()
    if not is_absolute and any(row["customer_share"] is None for row in rows):
        show.paragraph("– where the cohort was not observed yet, or had nothing to keep.")
    if has_base:
        show.paragraph("Paying: customers with MRR in the first month observed, who are the 100 %.")
    shares = [row["customer_share" if measure == "customers" else "mrr_share"] or 0 for row in rows]
    if basis == "signup" and not is_absolute and max(shares) > 1:
        above = "signed up earlier, pays only now" if measure == "customers" else "pays more, or pays only now"
        show.paragraph(f"above 100: {above}")
    if any(not row["is_whole"] for row in rows):
        show.paragraph("* a month of which only a part is covered")
    for name, note in _notes(rows):
        show.paragraph(f"{name}: {note}")
    if len(shown) < len(columns):
        show.paragraph(f"{len(shown)} of {len(columns)} months fit here; --format csv has all of them.")


def _first_rows(rows: Sequence[Row]) -> list[Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["cohort_name"], row)
    return list(first.values())


def _cell(row: Row, measure: str, is_absolute: bool, scale: int) -> Text:
    mark = "" if row["is_whole"] else "*"
    share = row["customer_share" if measure == "customers" else "mrr_share"]
    if is_absolute:
        kind = Kind.count if measure == "customers" else Kind.units if scale == 1 else Kind.scaled
        text = show.text_of(row[measure] if scale == 1 else row[measure] / scale, kind)
    elif share is None:
        text = "–"
    else:
        text = show.text_of(share * 100, Kind.units)
    return Text(text + mark, style=heat(share) if share is not None else "")


def _table(
    rows: Sequence[Row], columns: Sequence[Any], cells: dict[tuple[str, Any], Text], by_life: bool, has_base: bool
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(_LABELS[0], header_style="dim", no_wrap=True)
    table.add_column(_LABELS[1], header_style="dim", justify="right", no_wrap=True)
    if has_base:
        table.add_column(_LABELS[2], header_style="dim", justify="right", no_wrap=True)
    for column in columns:
        heading = str(column) if by_life else f"{column:%Y-%m}"
        table.add_column(heading, header_style="dim", justify="right", no_wrap=True)
    for row in _first_rows(rows):
        name = row["cohort_name"]
        sizes = [row["cohort_customers"], *([row["customers_at_base"]] if has_base else [])]
        sizes = [show.text_of(size, Kind.count) for size in sizes]
        table.add_row(name, *sizes, *(cells.get((name, column), Text("")) for column in columns))
    return table


def _those_that_fit(
    rows: Sequence[Row], columns: Sequence[Any], cells: dict[tuple[str, Any], Text], by_life: bool, has_base: bool
) -> list[Any]:
    """The columns for which the terminal has room: landmarks of a life and its last month, or the last months."""
    if show.width(_table(rows, columns, cells, by_life, has_base)) <= show.out.width:
        return list(columns)
    widest = max(2 if by_life else 7, *(cell.cell_len for cell in cells.values())) + 1
    beside = show.width(_table(rows, [], {}, by_life, has_base)) + 1
    room = max((show.out.width - beside) // widest, 2)
    if not by_life:
        return list(columns[-room:])
    landmarks = [column for column in columns[:-1] if column in _LANDMARKS][: room - 1]
    chosen = [*landmarks, columns[-1]]
    others = [column for column in columns if column not in chosen]
    return sorted([*chosen, *others[: room - len(chosen)]])


def _notes(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Of the cohorts without a month of their own, what the last month is annotated with."""
    last = {row["cohort_name"]: row for row in rows}
    return [(name, row["note"]) for name, row in last.items() if row["cohort"] is None and row["note"]]
