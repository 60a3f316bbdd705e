"""Runs the measures and prints their table.

.venv/bin/python tests/bench/main.py [--size S] [--only NAME …] [--runs 5] [--home DIR] [--json FILE]

Each measure is a module of ``measures/``. Its two sides run in turn, ours first in one pair and the reference
first in the next, so that whatever else the machine does meets both.
"""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
sys.path[:0] = [str(BENCH), str(ROOT / "scripts"), str(ROOT / "tests" / "python")]

import duckdb  # noqa: E402
import psutil  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import results as figures  # noqa: E402
from data import COMPANIES, Bench  # noqa: E402
from measure import Measure, NotHere, Sample, Sides  # noqa: E402
from memory import Peak  # noqa: E402
from pgmrr.rows import only_row  # noqa: E402
from pgmrr.server import EmbeddedServer  # noqa: E402
from results import Result  # noqa: E402

# A run of --size L takes S, M and L: growth needs more than one.
SIZES = {"XS": ("XS",), "S": ("S",), "M": ("S", "M"), "L": ("S", "M", "L"), "XL": ("S", "M", "L", "XL")}

progress = Console(stderr=True)


def main(arguments: list[str]) -> int:
    """Runs what is asked for; returns the exit code."""
    options = parse(arguments)
    measures = options.measures
    with _server(options.home) as server:
        results = _run(server, measures, SIZES[options.size], options.runs)
        facts = _facts(server)
    print_table(results)
    if options.json:
        content = {**facts, "results": [figures.as_json(result, results) for result in results]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return int(bool(_failures(results)))


def print_table(results: list[Result]) -> None:
    """Prints one row a measure and size, then growth, then what went wrong."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in [
        ("measure", "left"),
        ("size", "left"),
        ("ours", "right"),
        ("±", "right"),
        ("reference", "right"),
        ("±", "right"),
        ("ratio", "right"),
        ("must", "right"),
        ("aim", "right"),
        ("", "left"),
        ("rows", "right"),
        ("equal", "right"),
        ("memory", "right"),
        ("of reference", "right"),
    ]:
        table.add_column(heading, justify=justify, no_wrap=True)
    for result in results:
        table.add_row(*_row(result, results))
    console.print(table)
    console.print()
    for line in [*_growth(results), *_failures(results), *_not_run(results)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; `measures` are those that they choose."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="S", help="the largest size (default S)")
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="these measures alone, or those of these modules; may be given again",
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default 5)")
    parser.add_argument("--home", type=Path, help="keep server and data here, for the next run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single run to FILE")
    options = parser.parse_args(arguments)
    known = _measures_by_module()
    unknown = set(options.only) - {name for module, found in known.items() for name in (module, *_names(found))}
    if unknown:
        names = ", ".join(sorted(name for found in known.values() for name in _names(found)))
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are {names}")
    options.measures = _measures(known, options.only)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def _measures_by_module() -> dict[str, list[Measure]]:
    found = {}
    for path in sorted((BENCH / "measures").glob("*.py")):
        if path.stem != "__init__":
            module = importlib.import_module(f"measures.{path.stem}")
            found[path.stem] = getattr(module, "MEASURES", None) or [module.MEASURE]
    return found


def _names(measures: list[Measure]) -> list[str]:
    return [measure.name for measure in measures]


def _measures(known: dict[str, list[Measure]], only: list[str]) -> list[Measure]:
    """Those named, or all. Where a module is called as one of its measures, the name is that of the measure."""
    chosen = [
        measure
        for module, found in known.items()
        for measure in found
        if not only or measure.name in only or (module in only and module not in _names(found))
    ]
    # Those that serve as reference of others first.
    return sorted(chosen, key=lambda measure: bool(measure.reference_measure))


@contextmanager
def _server(home: Path | None) -> Iterator[EmbeddedServer]:
    """The bench's own server: that of ``home``, which stays as it is found, or one that goes with its data."""
    if home:
        server = EmbeddedServer(home)
        was_running = server.status().running
        server.start()
        try:
            yield server
        finally:
            if not was_running:
                server.stop()
        return
    with TemporaryDirectory(prefix="pgmrr-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # where root runs it, the server's user gets through
        server = EmbeddedServer(Path(directory) / "home")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _run(server: EmbeddedServer, measures: list[Measure], sizes: tuple[str, ...], runs: int) -> list[Result]:
    results = []
    for size in sizes:
        bench = Bench(server, size, sizes)
        progress.print(f"{size}: {COMPANIES[size]:,} companies")
        bench.prepare()
        invoices, bound = bench.invoices(), bench.memory_bound()
        for measure in measures:
            if size in (*measure.sizes, "XS"):
                result = Result(measure, size, invoices, bound)
                results.append(result)
                _measure(bench, result, runs)
    return results


def _measure(bench: Bench, result: Result, runs: int) -> None:
    measure = result.measure
    progress.print(f"{bench.size}: {measure.name}")
    try:
        with measure.open(bench) as sides:
            if measure.warm:
                sides.ours()
                sides.reference()
            for run in range(runs):
                _pair(bench, result, sides, ours_first=run % 2 == 0)
            result.compared = sides.check()
    except NotHere as error:
        result.not_run = str(error)
    except AssertionError as error:
        result.differs = str(error) or "the two sides differ"
    else:
        if not result.compared:
            result.differs = "nothing was compared"


def _pair(bench: Bench, result: Result, sides: Sides, *, ours_first: bool) -> None:
    turns = [(result.ours, sides.ours), (result.reference, sides.reference)]
    if result.measure.reference_measure:
        del turns[1]
    for samples, side in turns if ours_first else reversed(turns):
        with Peak(bench.server.status().pid) as peak:
            sample = side()
        samples.append(sample if sample.memory is not None else replace(sample, memory=peak.bytes))
        progress.print(f"    {'ours' if samples is result.ours else 'reference'}: {_figure(sample, result.measure)}")


def _row(result: Result, results: list[Result]) -> list[str]:
    measure = result.measure
    if not result.is_measured:
        return [measure.name, result.size, "not run" if result.not_run else "differs"]
    held_against = figures.reference_result(result, results) if measure.reference_measure else result
    reference = (held_against.ours if measure.reference_measure else held_against.reference) if held_against else []
    ratio = figures.ratio(result, results)
    return [
        measure.name,
        result.size,
        _middle(result.ours, measure),
        f"{figures.spread(result.ours):.0%}",
        _middle(reference, measure) if reference else "",
        f"{figures.spread(reference):.0%}" if reference else "",
        "" if ratio is None else f"{ratio:.3g}",
        "" if measure.must is None else f"{'≥' if measure.better == 'more' else '≤'} {measure.must:g}",
        "" if measure.aim is None else f"{measure.aim:g}",
        figures.verdict(result, results),
        f"{result.ours[-1].rows:,}",
        f"{result.compared:,}",
        _megabytes(figures.memory(result.ours)),
        _megabytes(figures.memory(reference)),
    ]


def _growth(results: list[Result]) -> Iterator[str]:
    for name in dict.fromkeys(result.measure.name for result in results):
        of_measure = [result for result in results if result.measure.name == name]
        exponent = figures.exponent(of_measure)
        if exponent is not None:
            bound = of_measure[0].measure.growth
            shown = "" if bound is None else f" (at most {bound:g})"
            yield f"{name}: our time grows with the invoices to the power of {exponent:.2f}{shown}"


def _failures(results: list[Result]) -> list[str]:
    failures = [f"{r.measure.name} at {r.size}: {r.differs}" for r in results if r.differs]
    failures += [
        f"{r.measure.name} at {r.size}: the ratio is not what it must be"
        for r in results
        if figures.verdict(r, results) == "missed"
    ]
    failures += [
        f"{r.measure.name} at {r.size}: our side took {_megabytes(figures.memory(r.ours))} of private memory,"
        f" more than the settings' {_megabytes(r.memory_bound)}"
        for r in results
        if figures.exceeds_memory(r)
    ]
    for name in dict.fromkeys(r.measure.name for r in results):
        of_measure = [r for r in results if r.measure.name == name]
        bound, found = of_measure[0].measure.growth, figures.exponent(of_measure)
        if bound is not None and found is not None and found > bound:
            failures.append(f"{name}: grows to the power of {found:.2f}, more than {bound:g}")
    return failures


def _not_run(results: list[Result]) -> list[str]:
    return [f"{r.measure.name} at {r.size} was not run: {r.not_run}" for r in results if r.not_run]


def _figure(sample: Sample, measure: Measure) -> str:
    return f"{sample.value:,.0f}/s" if measure.better == "more" else f"{sample.value:,.3f} s"


def _middle(samples: list[Sample], measure: Measure) -> str:
    return _figure(Sample(figures.middle(samples), 0), measure)


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1024**2:,.0f} MB"


def _facts(server: EmbeddedServer) -> dict[str, object]:
    """The machine, the versions and the settings of memory."""
    with Bench(server, "S", ()).connect("postgres") as connection:
        version = only_row(connection.execute("show server_version"))[0]
        settings = dict(
            connection.execute(
                "select name, current_setting(name) from pg_settings where name in"
                " ('shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem',"
                " 'hash_mem_multiplier', 'max_parallel_workers_per_gather', 'max_wal_size', 'jit')"
            ).fetchall()
        )
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "postgresql": version,
        "duckdb": duckdb.__version__,
        "settings": settings,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
