"""Companies whose source has the lines of invoices, or subscription periods with an amount a month.

Made of other generated companies: each invoice is taken apart into lines, which have periods and amounts of
their own, and some lines state what they are worth a month.
"""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import strategies as st

from reference import FOREVER, Invoice
from strategies import Company, Draw


@st.composite
def lined(draw: Draw, companies: st.SearchStrategy[Company]) -> Company:
    """One of the companies, invoice by invoice as lines."""
    company = draw(companies)
    random = Random(draw(st.integers(0, 2**32 - 1)))
    return Company([line for invoice in company.invoices for line in _lines(random, invoice)], company.customers)


def _lines(random: Random, invoice: Invoice) -> list[Invoice]:
    """The invoice as one to four lines, which add up to its total."""
    first = replace(invoice, of_invoice_id=invoice.invoice_id)
    if random.random() < 0.15:
        return [_listed(random, first)]
    others = [_other(random, first, number) for number in range(2, random.choice([2, 3, 3, 4, 5]))]
    return [replace(first, total=first.total - sum(line.total for line in others)), *others]


def _other(random: Random, first: Invoice, number: int) -> Invoice:
    """A line beside the first: a plan more, a part of the running cycle, arrears, or a one-off."""
    start, end = first.line_start, first.line_end
    if start and end and start < end:
        within = start + random.choice([1, 2, 3]) * (end - start) / 4
        within -= timedelta(seconds=within.second, microseconds=within.microsecond)
        start, end = random.choice([(start, end), (start, end), (within, end), (first.period_start, start)])
    return replace(
        first,
        invoice_id=f"{first.invoice_id}#{number}",
        subscription_id=random.choice([first.subscription_id] * 6 + [None]),
        line_start=start,
        line_end=end,
        total=random.choice([0, 1, 900, 5900, -900, random.randint(-9000, 9000)]),
        tax_exclusive=None,
        tax_inclusive=None,
        tax=None,
    )


def _listed(random: Random, line: Invoice) -> Invoice:
    """A line that states its amount a month, and may have no end."""
    return replace(line, monthly=abs(line.total), line_end=random.choice([line.line_end, FOREVER]))
