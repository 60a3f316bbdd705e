"""What the commands about rejected rows and warnings ask."""

from pgmrr.reports.report import Report
from pgmrr.show import Column, Kind

REJECTED = Report(
    """
    select batch_id, file, line_number, column_name, value, reason, hint
    from kpi.rejected_rows
    order by batch_id, file, line_number
    """,
    [
        Column("batch_id", "Batch", Kind.count),
        Column("file", "File"),
        Column("line_number", "Line"),
        Column("column_name", "Column"),
        Column("value", "Value"),
        Column("reason", "Reason"),
        Column("hint", "What to do"),
    ],
    "no rows were rejected",
)

REJECTED_WHOLE = Report(
    """
    select batch_id, file, file_role, line_number, reason, header, content
    from kpi.rejected_rows
    order by batch_id, file_role, line_number
    """,
    [],
)

REASONS = Report(
    "select reason, meaning, hint from kpi.reject_reasons order by reason",
    [Column("reason", "Reason", Kind.label), Column("meaning", "Meaning"), Column("hint", "What to do")],
)

WARNINGS = Report(
    """
    select warning, customer_id, invoice_id, detail, batch_id, line_number
    from kpi.warnings
    order by warning, customer_id, invoice_id
    """,
    [
        Column("warning", "Warning"),
        Column("customer_id", "Customer"),
        Column("invoice_id", "Invoice"),
        Column("detail", "Detail"),
        Column("batch_id", "Batch", Kind.count, spare=2),
        Column("line_number", "Line", spare=1),
    ],
    "nothing looks wrong",
)

WARNING_COUNTS = Report(
    "select warning, count(*) as warnings from kpi.warnings group by warning order by warning",
    [Column("warning", "Warning"), Column("warnings", "Times", Kind.count)],
    "nothing looks wrong",
)
