"""Companies whose billing follows no story: periods and amounts at random, on the limits of the rules and around them.

Stories, as `strategies` tells them, look like real life and rarely touch two limits at once. A scramble does
little else, in many small subscriptions. The same seed gives the same company.
"""

from datetime import datetime, timedelta
from random import Random

from hypothesis import strategies as st

from reference import DAY, Customer, Invoice, add_months
from strategies import MINUTE, Company

CUSTOMERS = 12

# Offsets in minutes that fall on, just within and just beyond 1, 2, 12 and 24 hours.
OFFSETS = [0] * 10 + [sign * m for m in (1, 59, 60, 119, 120, 121, 719, 720, 721, 1439, 1440) for sign in (1, -1)]

# What two columns of tax and the single one may say: exclusive, inclusive, undivided.
TAXES = [(None, None, None), (None, None, 19), (10, None, 12), (None, 7, 9), (5, 6, 11), (0, 0, 3)]


def scrambles() -> st.SearchStrategy[Company]:
    """Scrambled companies, each from a seed: a failing one is shown by its seed, and no simpler one is looked for."""
    return st.integers(0, 2**32 - 1).map(lambda seed: _Scramble(Random(seed)).company())


class _Scramble:
    """One company in the making: all of its times lie around the same few days of five months."""

    def __init__(self, random: Random) -> None:
        self.random = random
        hour, minute = random.choice([0, 7, 12, 23]), random.choice([0, 0, 33, 59])
        first = datetime(2025, random.choice([1, 2, 11, 12]), random.choice([1, 15, 28]), hour, minute)
        self.anchors = [add_months(first, month) + days * DAY for month in range(5) for days in (0, 0, 0, 3, 15)]
        self.invoices: list[Invoice] = []

    def company(self) -> Company:
        customers = []
        for number in range(CUSTOMERS):
            customer_id = f"cus_{self.random.choice('aBcDzZ')}{number}"
            for subscription in range(self.random.choice([1, 1, 1, 2])):
                currency = self.random.choice(["eur", "usd"])
                for _ in range(self.random.randint(1, 8)):
                    self.invoices.append(self._invoice(customer_id, f"sub_{number}_{subscription}", currency))
            if self.random.random() < 0.85:
                created_at = self.random.choice([None, self.anchors[0], self.anchors[0] - MINUTE, datetime(2023, 1, 1)])
                customers.append(Customer(customer_id, created_at, self.random.choice([None, 0, 1, 3, 9])))
        issued = sorted(invoice.issued_at for invoice in self.invoices)
        first = issued[self.random.randint(0, len(issued) // 2)]
        return Company([invoice for invoice in self.invoices if invoice.issued_at >= first], customers)

    def _invoice(self, customer_id: str, subscription_id: str, currency: str) -> Invoice:
        start, end = self._service()
        period_start, period_end = self._period(start)
        net = self._net()
        exclusive, inclusive, tax = self.random.choice(TAXES)
        taxed = (tax or 0) if exclusive is inclusive is None else (exclusive or 0) + (inclusive or 0)
        return Invoice(
            invoice_id=f"in_{self.random.choice('aBcD')}{len(self.invoices)}",
            customer_id=customer_id,
            subscription_id=subscription_id if self.random.random() < 0.97 else None,
            currency=currency if self.random.random() < 0.95 else {"eur": "usd", "usd": "eur"}[currency],
            status=self.random.choice(["paid"] * 8 + ["open", "draft", "void", "uncollectible"]),
            issued_at=self.random.choice([period_end or start, start, end, self._moment()]),
            period_start=period_start,
            period_end=period_end,
            line_start=start if self.random.random() < 0.98 else None,
            line_end=end if self.random.random() < 0.98 else None,
            total=net + taxed,
            tax_exclusive=exclusive,
            tax_inclusive=inclusive,
            tax=tax,
            amount_paid=max(net, 0) if self.random.random() < 0.8 else 0,
        )

    def _service(self) -> tuple[datetime, datetime]:
        """Whole months and almost whole months, spans between any two moments, spans of minutes."""
        start, kind = self._moment(), self.random.random()
        if kind < 0.55:
            offset = self._offset() if self.random.random() < 0.3 else 0 * MINUTE
            return start, add_months(start, self.random.choice([1, 1, 1, 1, 3, 12, 12])) + offset
        end = self._moment() if kind < 0.9 else start + self._offset()
        return (min(start, end), max(start, end)) if self.random.random() < 0.9 else (start, end)

    def _period(self, start: datetime) -> tuple[datetime | None, datetime | None]:
        """A first invoice, a renewal, a proration, a swap; or something that is not there, or makes no sense."""
        about = start + self._offset()
        before = add_months(start, -self.random.choice([1, 1, 12]))
        return self.random.choice(
            [
                *[(start, start)] * 7,
                *[(before, start)] * 5,
                *[(before, about)] * 3,
                *[(about, about)] * 2,
                *[(self._moment(), self._moment())] * 2,
                (None, None),
                (self._moment(), None),
            ]
        )

    def _net(self) -> int:
        price = self.random.choice([0, 1, 5, 6, 900, 1900, 5900, self.random.randint(0, 30000)])
        return price * self.random.choice([1, 1, 12]) * self.random.choice([1, 1, 1, 1, -1])

    def _moment(self) -> datetime:
        return self.random.choice(self.anchors) + self._offset()

    def _offset(self) -> timedelta:
        return self.random.choice(OFFSETS) * MINUTE
