"""Writes the figures of schema ``kpi`` as an Excel workbook, a sheet a question. Needs the extra ``pgmrr[excel]``.

Numbers and days are real cells with formats, text is never a formula or a link, and what is unknown is an empty
cell. Rows go to the disk as they are written.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from typing import Any, BinaryIO

import psycopg

from pgmrr import reports, table_export
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.meters import meter
from pgmrr.reports.cohorts import COHORTS
from pgmrr.reports.forecast import FORECAST
from pgmrr.reports.report import Connection, Report, reporting_currency
from pgmrr.reports.segments import ATTRIBUTES, SEGMENTS
from pgmrr.sessions import explained

_BIGGEST = 100  # customers
_SEGMENTS = 100  # of each attribute

_STATUS = Report("select is_possible, explanation from kpi.forecast_status", [])
_SIMPLE = Report("select metric, unit, definition from kpi.profiles where profile = 'simple'", [])

_UNKNOWN = (
    "An empty cell is a figure that is unknown or does not apply: before churn can be observed, for instance, rates "
    "that need it are empty. It is not zero. Why it is unknown is told above, and in columns of notes."
)


class _Kind(StrEnum):
    """What a column holds, and so its format."""

    text = "General"
    money = "#,##0.00"
    units = "#,##0 "  # money without cents; the space tells the format from that of counts
    whole = "#,##0"
    share = "0.0 %"
    points = "+0.0 %;-0.0 %;0.0 %"
    ratio = "0.00"
    day = "yyyy-mm-dd"
    month = "yyyy-mm"


@dataclass(frozen=True)
class _Column:
    """A column: its name in the rows, its heading, and what it holds."""

    name: str
    heading: str
    kind: _Kind = _Kind.text


def _money(**headings: str) -> list[_Column]:
    return [_Column(name, f"{heading}, {{currency}}", _Kind.money) for name, heading in headings.items()]


def _counts(**headings: str) -> list[_Column]:
    return [_Column(name, heading, _Kind.whole) for name, heading in headings.items()]


def _shares(**headings: str) -> list[_Column]:
    return [_Column(name, heading, _Kind.share) for name, heading in headings.items()]


_RANGE = [
    _Column("month", "Month", _Kind.month),
    _Column("first_on", "From", _Kind.day),
    _Column("last_on", "Through", _Kind.day),
]
_STATE = [
    _Column("is_whole", "Whole month"),
    _Column("mrr_is_complete", "MRR complete"),
    _Column("churn_is_observable", "Churn observable"),
]
_KINDS = ("preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn")
_WATERFALL = [
    *_RANGE,
    *_money(opening="Opening", **{kind: kind.capitalize() for kind in _KINDS}, closing="Closing", unpaid="Unpaid"),
    *_shares(growth="Growth"),
    *_counts(
        customers_opening="Customers, opening",
        customers_preexisting="Customers, preexisting",
        customers_new="Customers, new",
        customers_reactivated="Customers, reactivated",
        customers_churned="Customers, churned",
        customers="Customers, closing",
    ),
    *_money(arpa="ARPA", arr="ARR"),
    *_STATE,
]
_RETENTION = [
    *_RANGE,
    *_money(opening="Opening MRR", closing="Closing MRR"),
    *_counts(customers_opening="Customers, opening", customers_lost="Customers, lost"),
    *_shares(
        customer_churn_rate="Customer churn",
        gross_mrr_churn_rate="Gross MRR churn",
        net_mrr_churn_rate="Net MRR churn",
        nrr="NRR",
        grr="GRR",
    ),
    _Column("quick_ratio", "Quick ratio", _Kind.ratio),
    *_money(arpa="ARPA", ltv="LTV"),
    *_STATE,
    _Column("note", "Note"),
]
_SEGMENT = [
    _Column("segment", "Segment"),
    *_counts(customers="Customers"),
    *_money(mrr="MRR"),
    *_shares(share="Share of MRR"),
    *_money(arpa="ARPA"),
]
_CUSTOMER = [
    _Column("rank", "Rank", _Kind.whole),
    _Column("customer_id", "Customer"),
    _Column("name", "Name"),
    *_money(mrr="MRR"),
    *_shares(share="Share of MRR", cumulative_share="Share so far"),
    *_money(unpaid="Unpaid"),
    _Column("customer_since", "Customer since", _Kind.day),
    _Column("rank_before", "Rank a month earlier", _Kind.whole),
]
_AHEAD = [
    _Column("month", "Months ahead", _Kind.whole),
    _Column("last_on", "On", _Kind.day),
    *_money(
        opening="Opening",
        new="New",
        reactivation="Reactivation",
        expansion="Expansion",
        contraction="Contraction",
        churn="Churn",
        point="MRR",
        low="Low",
        high="High",
    ),
    _Column("level", "Interval holds", _Kind.share),
    _Column("method", "Method"),
]
_FATE = [
    _Column("fate", "Fate"),
    _Column("detail", "Basis or reason"),
    _Column("currency", "Currency"),
    *_counts(invoices="Invoices"),
    _Column("total", "Total billed, in that currency", _Kind.money),
]
_DEFINITION = [
    _Column("name", "Name"),
    _Column("unit", "Unit or type"),
    _Column("definition", "Definition"),
    _Column("call", "SQL call"),
]
_HEADLINE = [
    ("KPI", _Kind.text),
    ("Value", _Kind.money),
    ("Unit", _Kind.text),
    ("Change", _Kind.points),
    ("Unit of the change", _Kind.text),
    ("Beside it", _Kind.text),
    ("Value", _Kind.share),
    ("Meaning", _Kind.text),
]
_FIGURES = [("Figure", _Kind.text), ("Value", _Kind.money), ("Unit", _Kind.text)]
_HEADLINE_KINDS = {"share": _Kind.share, "points": _Kind.points, "ratio": _Kind.ratio, "sessions": _Kind.whole}
_HEADLINE_UNITS = {"points": "percentage points"}


@dataclass(frozen=True)
class WrittenSheet:
    """A sheet that was written, and how many rows of data stand in it."""

    name: str
    rows: int


def export_excel(
    connection: Connection, path: Path, *, overwrite: bool = False, progress: Progress = silent
) -> list[WrittenSheet]:
    """Write the workbook. ``connection`` must be in one repeatable-read transaction.

    A file that exists is replaced only by ``overwrite``, and only by a whole one.

    Raises PgmrrError where the extra is missing or something cannot be written.
    """
    try:
        import xlsxwriter  # noqa: PLC0415  an extra that most users do without
    except ImportError:
        raise PgmrrError("Excel needs an extra", "install it: pip install 'pgmrr[excel]'") from None
    if path.suffix.lower() != ".xlsx":
        raise PgmrrError(f"{path} does not end by .xlsx", "Excel opens no other: pgmrr export excel FILE.xlsx")
    if path.exists() and not overwrite:
        raise PgmrrError(f"{path} already exists", "replace it: --overwrite")
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    try:
        with _replacing(path) as file, xlsxwriter.Workbook(file, options) as workbook:
            return _Book(workbook, connection).write(progress)
    except psycopg.Error as error:
        raise explained("nothing was exported", error) from error
    except OSError as error:
        raise PgmrrError(f"{error.filename or path}: {error.strerror or error}", "name a file you may write") from None


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when it is whole, and vanishes where it is not."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Book:
    """The workbook, sheet by sheet."""

    def __init__(self, workbook: Any, connection: Connection) -> None:
        self._workbook = workbook
        self._connection = connection
        self._currency = reporting_currency(connection)
        self._coverage = reports.COVERAGE.ask(connection)[0]
        self._sheets: list[_Sheet] = []
        workbook.set_properties({"title": "Revenue metrics", "subject": self._coverage["explanation"]})

    def write(self, progress: Progress) -> list[WrittenSheet]:
        """Write all sheets."""
        sheets = {
            "Summary": self._summary,
            "Waterfall": self._waterfall,
            "Retention": self._retention,
            "Cohorts": self._cohorts,
            "Segments": self._segments,
            "Biggest customers": self._biggest,
            "Forecast": self._forecast,
            "Definitions": self._definitions,
        }
        progress(f"writing {len(sheets)} sheets")
        for name, fill in sheets.items():
            meter(progress, f"writing the sheet {name}", is_part=True)
            sheet = _Sheet(self._workbook, name, self._currency)
            fill(sheet)
            sheet.finish()
            self._sheets.append(sheet)
        return [WrittenSheet(sheet.name, sheet.rows) for sheet in self._sheets]

    def _summary(self, sheet: "_Sheet") -> None:
        headline = reports.HEADLINE.ask(self._connection)
        if headline:
            window = headline[0]
            sheet.title(f"Health of the business, {window['first_on']} to {window['last_on']}")
            sheet.header(_HEADLINE)
            for row in headline:
                unit = row["change_unit"]
                sheet.cells(
                    [
                        (row["kpi"], _Kind.text),
                        (row["value"], _HEADLINE_KINDS.get(row["unit"], _Kind.money)),
                        (_HEADLINE_UNITS.get(row["unit"], row["unit"]), _Kind.text),
                        (row["change"], _HEADLINE_KINDS.get(unit, _Kind.ratio)),
                        (None if row["change"] is None else _HEADLINE_UNITS.get(unit, unit), _Kind.text),
                        (row["second_kpi"], _Kind.text),
                        (row["second_value"], _HEADLINE_KINDS.get(row["second_unit"], _Kind.ratio)),
                        (row["meaning"], _Kind.text),
                    ]
                )
            last = reports.MONTHLY.ask(self._connection)[-1]
            sheet.gap()
            sheet.title(f"On {last['last_on']}")
            sheet.header(_FIGURES)
            for name, heading in (("closing", "MRR"), ("arr", "ARR"), ("arpa", "ARPA"), ("unpaid", "Unpaid MRR")):
                unit = f"{self._currency} {'a year' if name == 'arr' else 'a month'}"
                sheet.cells([(heading, _Kind.text), (last[name], _Kind.money), (unit, _Kind.text)])
            known = reports.CUSTOMERS.ask(self._connection)[0]
            for name, heading in (
                ("with_mrr", "Customers with MRR"),
                ("ever_with_mrr", "Customers who ever had MRR"),
                ("known", "Customers known"),
            ):
                sheet.cells([(heading, _Kind.text), (known[name], _Kind.whole), ("customers", _Kind.text)])
            sheet.gap()
        sheet.title("What the data can say")
        sheet.text(self._coverage["explanation"])
        if self._coverage["hidden_annual_mrr"]:
            sheet.cells(
                [
                    ("Hidden annual MRR, about", _Kind.text),
                    (self._coverage["hidden_annual_mrr"], _Kind.money),
                    (f"{self._currency} a month", _Kind.text),
                ]
            )
        sheet.text(_UNKNOWN)
        source = table_export.source_of(self._connection)
        batch = (
            f"after batch {source['batch']} of {source['batch_at']:%Y-%m-%d %H:%M %Z}" if source["batch"] else "empty"
        )
        sheet.text(
            f"Read {source['read_at']:%Y-%m-%d %H:%M %Z}, {batch}. Days are of the time zone {source['time_zone']}."
        )
        sheet.gap()
        sheet.title("What became of every invoice: MRR counts charges, and leaves out the rest")
        sheet.table(_FATE, reports.FATES.ask(self._connection), reports.FATES.empty)

    def _waterfall(self, sheet: "_Sheet") -> None:
        found = reports.MONTHLY.ask(self._connection)
        sheet.title(f"MRR by month, {self._currency} a month: opening + all kinds = closing")
        first, last = sheet.table(_WATERFALL, found, "no day is covered", is_frozen=True)
        if not found:
            return
        chart = self._workbook.add_chart({"type": "column", "subtype": "stacked"})
        names = [column.name for column in _WATERFALL]
        for kind, colour in zip(_KINDS, _COLOURS, strict=True):
            if kind == "rounding":  # cents
                continue
            place = names.index(kind)
            chart.add_series(
                {
                    "name": kind.capitalize(),
                    "categories": [sheet.name, first, 0, last, 0],
                    "values": [sheet.name, first, place, last, place],
                    "fill": {"color": colour},
                    "gap": 60,
                }
            )
        chart.set_title({"name": f"What moved MRR, {self._currency} a month", "name_font": {"size": 11}})
        chart.set_x_axis({"date_axis": False, "num_format": _Kind.month.value, "label_position": "low"})
        chart.set_y_axis({"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 900, "height": 340})
        sheet.chart(chart)

    def _retention(self, sheet: "_Sheet") -> None:
        sheet.title("Churn and retention by month")
        found = reports.RETENTION_MONTHLY.ask(self._connection)
        sheet.table(_RETENTION, found, "no day is covered", is_frozen=True)

    def _cohorts(self, sheet: "_Sheet") -> None:
        found = COHORTS.ask(self._connection, {"basis": "first_mrr"})
        if not found:
            sheet.text(COHORTS.empty)
        blocks = (
            ("customers", "Customers who are kept", _Kind.whole),
            ("customer_share", "Customers who are kept, share of the first month observed", _Kind.share),
            ("mrr", f"MRR of the cohorts, {self._currency} a month", _Kind.units),
            ("mrr_share", "MRR of the cohorts, share of the first month observed", _Kind.share),
        )
        for name, title, kind in blocks if found else ():
            sheet.title(title)
            sheet.triangle(found, name, kind)
            sheet.gap()
        notes = {row["cohort_name"]: row["note"] for row in found if row["note"] and row["cohort"] is None}
        for cohort, note in notes.items():
            sheet.text(f"{cohort}: {note}")
        sheet.text(
            "A cohort: the customers whose first MRR fell in a month. Columns: months since then, where all cohorts "
            "are known from their first month, else calendar months."
        )

    def _segments(self, sheet: "_Sheet") -> None:
        for attribute in ATTRIBUTES.ask(self._connection):
            found = SEGMENTS.ask(self._connection, {"attribute": attribute["name"], "day": None})
            sheet.title(f"By {attribute['name']}, on {self._coverage['complete_through']}")
            sheet.table(_SEGMENT, [_named(row) for row in found[:_SEGMENTS]], SEGMENTS.empty)
            if len(found) > _SEGMENTS:
                sheet.text(f"the first {_SEGMENTS} of {len(found):,} segments")
            sheet.gap()

    def _biggest(self, sheet: "_Sheet") -> None:
        found = reports.BIGGEST.ask(self._connection, {"day": None, "limit": _BIGGEST})
        sheet.title(f"The biggest customers, at most {_BIGGEST}, on {self._coverage['complete_through']}")
        sheet.table(_CUSTOMER, found, "no customer has MRR on a covered day", is_frozen=True)

    def _forecast(self, sheet: "_Sheet") -> None:
        found = FORECAST.ask(self._connection, {"months": 6, "level": "0.8", "method": "auto"})
        sheet.title(
            f"MRR to come, {self._currency} a month; low and high: the interval, if the future is like the past"
        )
        sheet.table(_AHEAD, found, "there is no forecast", is_frozen=True)
        sheet.text(_STATUS.ask(self._connection)[0]["explanation"])

    def _definitions(self, sheet: "_Sheet") -> None:
        sheet.title("What the figures mean, and the call that gives them")
        sheet.table(_DEFINITION, self._meanings(), "", is_frozen=True)

    def _meanings(self) -> list[dict[str, Any]]:
        """The metrics, then what the database says of each view, function and column."""
        rows = [
            {
                "name": row["metric"],
                "unit": row["unit"].replace("currency", self._currency),
                "definition": row["definition"],
                "call": "select * from kpi.compare_profiles()",
            }
            for row in _SIMPLE.ask(self._connection)
        ]
        for table in table_export.tables(self._connection):
            call = f"select * from {table.call}"
            rows.append({"name": table.call, "unit": table.kind, "definition": table.meaning, "call": call})
            rows += [
                {
                    "name": f"kpi.{table.name}.{column.name}",
                    "unit": column.type,
                    "definition": column.meaning,
                    "call": f'select "{column.name}" from {table.call}',
                }
                for column in table.columns
                if column.meaning
            ]
        return rows


# Colour-blind readers tell them apart (Okabe and Ito); losses are warm.
_COLOURS = ("#999999", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CCCCCC", "#D55E00")


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "segment": "(without a value)" if row["segment"] is None else row["segment"]}


class _Sheet:
    """A sheet, written from its top to its bottom."""

    def __init__(self, workbook: Any, name: str, currency: str) -> None:
        self.name = name
        self.rows = 0
        self._currency = currency
        self._sheet = workbook.add_worksheet(name)
        self._formats = {
            kind: workbook.add_format({"num_format": kind.value, "valign": "top"} | _ALIGNED.get(kind, {}))
            for kind in _Kind
        }
        self._title = workbook.add_format({"bold": True, "font_size": 13})
        heading = {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 1, "bg_color": "#F2F2F2"}
        self._heading = workbook.add_format(heading | {"align": "left", "indent": 1})
        self._heading_of_figures = workbook.add_format(heading | {"align": "right"})
        self._note = workbook.add_format({"text_wrap": True, "valign": "top", "italic": True, "font_color": "#555555"})
        self._next = 0
        self._widths: dict[int, int] = {}
        self._sheet.hide_gridlines(2)
        self._sheet.set_landscape()
        self._sheet.set_paper(9)  # A4
        self._sheet.fit_to_pages(1, 0)
        self._sheet.set_footer("&L&F&C&A&R&P / &N")

    def title(self, text: str) -> None:
        """Write a title."""
        self._sheet.write_string(self._next, 0, text, self._title)
        self._next += 1

    def gap(self) -> None:
        """Leave a line empty."""
        self._next += 1

    def text(self, text: str) -> None:
        """Write a paragraph over several columns, as high as it needs to be."""
        self._sheet.set_row(self._next, _LINE * len(wrap(text, _PARAGRAPH)))
        self._sheet.merge_range(self._next, 0, self._next, _PARAGRAPH_COLUMNS - 1, "", self._note)
        self._sheet.write_string(self._next, 0, text, self._note)
        self._next += 1

    def header(self, headings: Sequence[tuple[str, _Kind]]) -> None:
        """Write the headings of a table, those of figures to the right."""
        self._sheet.set_row(self._next, _LINE * max(len(wrap(heading, _NARROWEST)) for heading, _ in headings))
        for place, (heading, kind) in enumerate(headings):
            is_left = kind is _Kind.text or kind in _ALIGNED
            self._sheet.write_string(self._next, place, heading, self._heading if is_left else self._heading_of_figures)
            self._widen(place, max(len(word) for word in heading.split()) + 2)
        self._next += 1

    def cells(self, values: Iterable[tuple[Any, _Kind]]) -> None:
        """Write a row of data; what is unknown stays empty."""
        cells = list(values)
        lines = max(len(wrap(value, _WIDEST - 2)) if isinstance(value, str) else 1 for value, _ in cells)
        if lines > 1:
            self._sheet.set_row(self._next, _LINE * lines)
        for place, (value, kind) in enumerate(cells):
            self._cell(place, value, kind)
        self._next += 1
        self.rows += 1

    def table(
        self, columns: Sequence[_Column], rows: Sequence[Mapping[str, Any]], empty: str, *, is_frozen: bool = False
    ) -> tuple[int, int]:
        """Write a table, whose headings stay in sight and are printed on each page where they are frozen.

        Returns the places of its first and its last row of data.
        """
        if not rows:
            self.text(empty)
            return self._next, self._next
        self.header([(column.heading.format(currency=self._currency), column.kind) for column in columns])
        first = self._next
        if is_frozen:
            self._sheet.freeze_panes(first, 1)
            self._sheet.repeat_rows(first - 1)
            self._sheet.autofilter(first - 1, 0, first + len(rows) - 1, len(columns) - 1)
        for row in rows:
            self.cells((row[column.name], column.kind) for column in columns)
        return first, self._next - 1

    def triangle(self, rows: Sequence[Mapping[str, Any]], name: str, kind: _Kind) -> None:
        """Write cohorts below each other, and their months beside each other, coloured by their size."""
        first_months: dict[str, int] = {}
        for row in rows:
            first_months.setdefault(row["cohort_name"], row["month_number"])
        axis = "month_number" if not any(first_months.values()) else "month"
        columns = sorted({row[axis] for row in rows})
        headings = [str(column) if axis == "month_number" else f"{column:%Y-%m}" for column in columns]
        self.header([("Cohort", _Kind.text), ("Customers", _Kind.whole), *((heading, kind) for heading in headings)])
        first = self._next
        for cohort in first_months:
            found = {row[axis]: row for row in rows if row["cohort_name"] == cohort}
            size = next(iter(found.values()))["cohort_customers"]
            values = [(found[column][name] if column in found else None, kind) for column in columns]
            self.cells([(cohort, _Kind.text), (size, _Kind.whole), *values])
        self._sheet.conditional_format(
            first,
            2,
            self._next - 1,
            1 + len(columns),
            _SCALE_OF_SHARES if kind is _Kind.share else _SCALE,
        )

    def chart(self, chart: Any) -> None:
        """Put a chart below."""
        self._sheet.insert_chart(self._next + 1, 0, chart)

    def finish(self) -> None:
        """Give the columns their widths."""
        for place, width in self._widths.items():
            self._sheet.set_column(place, place, width)

    def _cell(self, place: int, value: Any, kind: _Kind) -> None:
        format_ = self._formats[kind]
        if value is None:
            self._sheet.write_blank(self._next, place, None, format_)
            return
        if isinstance(value, date | datetime):
            self._sheet.write_datetime(self._next, place, value, format_)
            width = 11
        elif kind is _Kind.text:
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            self._sheet.write_string(self._next, place, text, format_)
            width = len(text) + 3
        else:
            self._sheet.write_number(self._next, place, float(value), format_)
            width = len(f"{value:,.0f}") + (4 if kind is _Kind.money else 1)
        self._widen(place, width)

    def _widen(self, place: int, width: int) -> None:
        self._widths[place] = min(max(self._widths.get(place, _NARROWEST), width), _WIDEST)


_SCALE = {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": "#92C5DE"}
# The same for all cohorts: from one half or less to all or more.
_SCALE_OF_SHARES = {
    "type": "3_color_scale",
    **{f"{end}_type": "num" for end in ("min", "mid", "max")},
    "min_value": 0.5,
    "mid_value": 0.75,
    "max_value": 1,
    "min_color": "#F4A582",
    "mid_color": "#F7F7F7",
    "max_color": "#92C5DE",
}
# Of columns and paragraphs, in characters, and of lines, in points: nothing measures them for a file that is streamed.
_NARROWEST = 9
_WIDEST = 70
_PARAGRAPH = 90
_LINE = 15
_PARAGRAPH_COLUMNS = 7
_ALIGNED: dict[_Kind, dict[str, Any]] = {
    _Kind.text: {"text_wrap": True, "align": "left", "indent": 1},
    _Kind.day: {"align": "left", "indent": 1},
    _Kind.month: {"align": "left", "indent": 1},
}
