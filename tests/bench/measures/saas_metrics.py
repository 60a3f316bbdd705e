"""An import and every metric, against the PyPI package saas-metrics reporting on the same file.

The file is a Stripe export of up to 180 thousand invoices, with decimal points, which both read. The package spreads
each line's total by day over its service and calls a month's revenue what others call MRR, with waterfall, retention,
concentration and tables as CSV. Its figures are not ours: it counts void and uncollectible invoices, one-offs and
taxes as revenue, adds up currencies as they are, and what a customer pays for a part of a month is less revenue in
it, and so expansion in the next. So what is compared is what both say of the file: months, customers, and
the money that was billed.

It runs in a virtual environment of its own beside the bench's data, never in ours.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Measure, NotHere, Sample, Sides
from measures.importing import exported
from memory import Peak
from pgmrr.rows import only_row

if TYPE_CHECKING:
    from data import Bench

_PACKAGE = "saas-metrics==0.1.0"
_INVOICES = 180_000
_SIZES = ("M",)
_MEMORY = 0.5
_PGMRR = Path(sys.executable).with_name("pgmrr")
_COLUMNS = [
    "--customer", "Customer", "--date", "Date (UTC)", "--amount", "Total",
    "--service-start", "Minimum Line Item Period Start (UTC)",
    "--service-end", "Maximum Line Item Period End (UTC)",
]  # fmt: skip

_METRICS = [
    "kpi.headline", "kpi.mrr_daily", "kpi.mrr_monthly", "kpi.movements()", "kpi.mrr_by_customer()",
    "kpi.retention_monthly", "kpi.retention()", "kpi.retention_trailing()", "kpi.cohort_retention()",
    "kpi.biggest_customers()", "kpi.concentration()", "kpi.concentration_curve()", "kpi.renewals_monthly()",
    "kpi.significant_days()", "kpi.compare_profiles()", "kpi.billing_health_monthly", "kpi.engagement_monthly",
    "kpi.forecast()", "kpi.forecast_backtest()", "kpi.scenario()", "kpi.risks()", "kpi.coverage",
    "kpi.customer_count",
]  # fmt: skip

# What the package understands of a file before it computes: lines, customers, billed cents, and first and last month.
_READ = """
import json, sys
import pandas as pd
from saas_metrics.inputs import apply_mapping, read

mapping = {"customer_id": "Customer", "period": "Date (UTC)", "revenue": "Total"}
lines = apply_mapping(read(sys.argv[1]), mapping)
revenue = pd.to_numeric(lines["revenue"])
print(json.dumps([
    len(lines), int(lines["customer_id"].nunique()), int((revenue * 100).round().sum()),
    int((revenue < 0).sum()), lines["period"].str[:7].min(), lines["period"].str[:7].max(),
]))
"""

_OURS = """
select
    count(*), count(distinct i.customer_id), sum(i.total * 100)::bigint, count(*) filter (where i.total < 0),
    to_char(min(i.issued_at at time zone 'UTC'), 'YYYY-MM'), to_char(max(i.issued_at at time zone 'UTC'), 'YYYY-MM')
from billing.invoice i
"""


def _file(bench: Bench) -> Path:
    """The newest invoices of the export, with decimal points: the package takes a comma for thousands."""
    source = exported(bench)
    path = source.with_name("saas-metrics.csv")
    if not path.exists():
        with source.open(encoding="utf-8", newline="") as lines, path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            for number, row in enumerate(csv.reader(lines)):
                if number <= _INVOICES:
                    writer.writerow([re.sub(r"^(-?\d+),(\d\d)$", r"\1.\2", value) for value in row])
    return path


def _package(bench: Bench) -> Path:
    """The directory of the programs of the package's own environment, which is made where it is not there yet."""
    home = bench.home / "saas-metrics"
    programs = home / "bin"
    if not (programs / "saas-metrics").exists():
        if bench.size not in _SIZES:
            raise NotHere(
                f"{_PACKAGE} is fetched from PyPI for size {', '.join(_SIZES)} alone; kept in --home it runs here"
            )
        venv.create(home, with_pip=True, clear=True)
        done = subprocess.run(
            [programs / "pip", "install", "--quiet", _PACKAGE], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotHere(f"{_PACKAGE} cannot be installed from PyPI, which must be reachable")
    return programs


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    programs = _package(bench)
    file = _file(bench)
    directory = file.parent
    with file.open(encoding="utf-8", newline="") as lines:
        rows = sum(1 for _ in csv.reader(lines)) - 1
    facts: list[list[object]] = []
    peaks: dict[str, list[int]] = {"ours": [], "reference": []}

    def sample(side: str, work) -> Sample:
        with Peak(bench.server.status().pid) as peak:
            seconds = bench.seconds(work)
        peaks[side].append(peak.bytes or 0)
        return Sample(seconds, rows, memory=peak.bytes)

    def ours() -> Sample:
        with bench.empty("saas_metrics") as database:
            at = ["--database", bench.url(database)]

            def work() -> None:
                _run(_PGMRR, "import", "stripe", "--invoices", file, *at)
                _run(_PGMRR, "kpis", *at)
                only = [part for table in _METRICS for part in ("--only", table)]
                _run(_PGMRR, "export", "tables", directory / "ours", "--format", "csv", "--overwrite", *only, *at)

            done = sample("ours", work)
            with bench.connect(database) as connection:
                facts.append(list(only_row(connection.execute(_OURS))))
            return done

    def reference() -> Sample:
        report = ["report", file, *_COLUMNS, "--allow-warnings", "--out", directory / "theirs"]
        return sample("reference", lambda: _run(programs / "saas-metrics", *report))

    def check() -> int:
        if not facts:
            ours()
        expected = json.loads(_run(programs / "python", "-c", _READ, file))
        assert facts[-1] == expected, f"imported {facts[-1]}, where the package read {expected}"
        assert expected[0] == rows, f"{expected[0]} of {rows} rows were read"
        # Memory has a bound as time has; the smallest size is all start of programs.
        if bench.size in _SIZES and all(peaks.values()):
            share = max(peaks["ours"]) / max(peaks["reference"])
            assert share <= _MEMORY, f"our side took {share:.2f} of the memory of the other, more than {_MEMORY}"
        return rows

    yield Sides(ours=ours, reference=reference, check=check)


MEASURE = Measure(
    name="saas_metrics",
    ours="pgmrr import stripe, then kpis and every metric of the company as CSV",
    reference="the PyPI package saas-metrics: report on the same file, tables as CSV",
    better="less",
    must=0.5,
    aim=0.1,
    open=_open,
    sizes=_SIZES,
    judged_at=_SIZES[0],
    note="memory: private memory of the command and of the server's processes; its peak must be at most half as well",
)
