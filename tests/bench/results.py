"""What came out of a run: medians, spreads, ratios, growth, and whether each is within its bound."""

import math
from dataclasses import asdict, dataclass, field
from statistics import median

from measure import Measure, Sample


@dataclass
class Result:
    """A measure at one size.

    ``invoices`` is the company's size, ``compared`` how many rows were held equal, and ``memory_bound`` what our
    side may take, in bytes.
    """

    measure: Measure
    size: str
    invoices: int
    memory_bound: int
    ours: list[Sample] = field(default_factory=list)
    reference: list[Sample] = field(default_factory=list)
    compared: int = 0
    not_run: str = ""
    differs: str = ""

    @property
    def is_measured(self) -> bool:
        return not self.not_run and not self.differs


def middle(samples: list[Sample]) -> float:
    """The median of the figures."""
    return median(sample.value for sample in samples)


def spread(samples: list[Sample]) -> float:
    """The distance of the figures' extremes, as a share of their median."""
    values = [sample.value for sample in samples]
    return (max(values) - min(values)) / middle(samples)


def memory(samples: list[Sample]) -> int | None:
    """The highest memory of the runs, in bytes."""
    known = [sample.memory for sample in samples if sample.memory is not None]
    return max(known) if known else None


def ratio(result: Result, results: list[Result]) -> float | None:
    """Ours by the reference; of runs that alternate, the median of the ratios of each pair."""
    if not result.is_measured:
        return None
    if result.measure.reference_measure:
        held_against = reference_result(result, results)
        return middle(result.ours) / middle(held_against.ours) if held_against else None
    return median(ours.value / theirs.value for ours, theirs in zip(result.ours, result.reference, strict=True))


def reference_result(result: Result, results: list[Result]) -> Result | None:
    """The result that serves as reference: that of the other measure at the largest size of the run."""
    others = [r for r in results if r.measure.name == result.measure.reference_measure and r.is_measured]
    return max(others, key=lambda r: r.invoices, default=None)


def verdict(result: Result, results: list[Result]) -> str:
    """Whether the ratio is what it must be, at the size where it is judged: aim met, met, missed, or nothing."""
    found = ratio(result, results)
    if found is None or result.size != result.measure.judged_at:
        return ""
    measure = result.measure
    if measure.better == "more":
        return "aim met" if found >= measure.aim else "met" if found >= measure.must else "missed"
    return "aim met" if found <= measure.aim else "met" if found <= measure.must else "missed"


def exceeds_memory(result: Result) -> bool:
    """Whether our side took more private memory than the server's settings allow."""
    return (memory(result.ours) or 0) > result.memory_bound


def exponent(results: list[Result]) -> float | None:
    """How our time grows with the number of invoices: the slope of the logarithms by least squares."""
    points = [
        (math.log(r.invoices), math.log(middle(r.ours)) * (-1 if r.measure.better == "more" else 1))
        for r in results
        if r.is_measured
    ]
    if len(points) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def as_json(result: Result, results: list[Result]) -> dict[str, object]:
    """A result with every single run."""
    measure = result.measure
    return {
        "measure": measure.name,
        "size": result.size,
        "invoices": result.invoices,
        "better": measure.better,
        "must": measure.must,
        "aim": measure.aim,
        "ours": [asdict(sample) for sample in result.ours],
        "reference": [asdict(sample) for sample in result.reference],
        "ratio": ratio(result, results),
        "verdict": verdict(result, results),
        "memory_bound": result.memory_bound,
        "compared": result.compared,
        "not_run": result.not_run,
        "differs": result.differs,
    }
