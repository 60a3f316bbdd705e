"""Hypothesis strategies: small companies whose billing histories run into every rule of the methodology.

A company is one to four customers with up to a dozen invoices. Each subscription tells a story, event by
event: renewals, seats added or taken away in mid-cycle, restarts, swaps, gaps, arrears. An export that starts
in the middle of these stories then hides what was invoiced before it, as real exports do. All times lie on
the minute.

    @given(companies(), settings())
    def test_something(company, settings):
        result = evaluate(company.invoices, company.customers, settings)
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from hypothesis import strategies as st

from reference import DAY, HOUR, Customer, Invoice, Settings, add_months

MINUTE = timedelta(minutes=1)
TIME_ZONES = ("UTC", "Pacific/Auckland", "Europe/Berlin", "America/Los_Angeles")
LARGEST_COMPANY = 12  # invoices

Draw = st.DrawFn


@dataclass(frozen=True)
class Company:
    """The facts of one generated company."""

    invoices: list[Invoice]
    customers: list[Customer]


# --------------------------------------------------------------------------------------------------- settings


@st.composite
def settings(draw: Draw) -> Settings:
    """Settings of a report: the defaults more often than not."""
    history = draw(st.sampled_from(["truncated", "truncated", "truncated", "complete"]))
    return Settings(
        time_zone=draw(st.sampled_from(TIME_ZONES)),
        counted_statuses=draw(st.sampled_from([("paid", "open", "draft")] * 3 + [("paid",), ("paid", "open")])),
        rounding_tolerance_cents=draw(st.sampled_from([5, 5, 5, 0, 100])),
        implied=draw(st.sampled_from([True, True, True, False])),
        observed_from=draw(st.sampled_from([None, None, None, date(2025, 1, 15)])),
        history=history,
        complete_through=date(2026, 12, 31) if history == "complete" else None,
    )


# ------------------------------------------------------------------------------------------ times and amounts

# Offsets in minutes that fall on, just within and just beyond the rules' limits of 2 and 12 hours.
jitter = st.sampled_from([0] * 48 + [sign * m for m in (1, 60, 119, 120, 121, 719, 720, 721) for sign in (1, -1)])
prices = st.sampled_from([0, 1, 900, 1900, 3900, 5900, 8700, 25000]) | st.integers(0, 20000)
clock_times = st.sampled_from([0, 1, 7 * 60 + 33, 12 * 60, 21 * 60, 23 * 60 + 59]) | st.integers(0, 24 * 60 - 1)


@st.composite
def moments(draw: Draw) -> datetime:
    """When a story starts: around a turn of the year, with a liking for the ends of months."""
    day = draw(st.sampled_from([1, 10, 28, 29, 30, 31]) | st.integers(1, 31))
    return add_months(datetime(2024, 10, day), draw(st.integers(1, 3))) + draw(clock_times) * MINUTE


@st.composite
def taxes(draw: Draw, net: int) -> dict[str, int | None]:
    """The total of an invoice and how its tax is stated: not at all, in one column, or in two."""
    exclusive, inclusive = draw(st.sampled_from([(0, 0), (19, 0), (0, 20), (10, 10)]))
    exclusive, inclusive = net * exclusive // 100, net * inclusive // 100
    total = net + exclusive + inclusive
    stated = draw(st.sampled_from(["two columns", "one column", "only what there is"]))
    if stated == "one column":
        return {"total": total, "tax": exclusive + inclusive}
    if stated == "only what there is":
        return {"total": total, "tax_exclusive": exclusive or None, "tax_inclusive": inclusive or None}
    return {
        "total": total,
        "tax_exclusive": exclusive,
        "tax_inclusive": inclusive,
        "tax": exclusive + inclusive,
    }


# ---------------------------------------------------------------------------------------------------- stories


@dataclass
class _Story:
    """A subscription as it goes on: whose it is, its running term, its price by month, its invoices."""

    customer_id: str
    subscription_id: str
    currency: str
    start: datetime
    end: datetime
    months: int
    price: int
    invoices: list[Invoice]

    @property
    def term_net(self) -> int:
        return self.price * self.months

    def unused(self, moment: datetime) -> int:
        """What the rest of the running term is worth, in cents."""
        return self.term_net * ((self.end - moment) // MINUTE) // ((self.end - self.start) // MINUTE)


def _bill(
    draw: Draw,
    story: _Story,
    net: int,
    lines: tuple[datetime, datetime] | None,
    period: tuple[datetime, datetime],
) -> None:
    """Add an invoice to a story; it gets its id when the company is complete."""
    start, end = lines or (None, None)
    status = draw(st.sampled_from(["paid"] * 9 + ["open", "open", "draft", "void", "uncollectible"]))
    stated = draw(taxes(net))
    is_settled_by_balance = draw(st.sampled_from([False] * 5 + [True]))
    other_currency = {"eur": "usd", "usd": "eur"}[story.currency]
    story.invoices.append(
        Invoice(
            invoice_id="",
            customer_id=story.customer_id,
            subscription_id=story.subscription_id,
            currency=draw(st.sampled_from([story.currency] * 15 + [other_currency])),
            status=status,
            issued_at=period[1] + draw(st.sampled_from([0, 0, 0, 1, 60, 2 * 24 * 60])) * MINUTE,
            period_start=period[0],
            period_end=period[1],
            line_start=start,
            line_end=end,
            amount_paid=0 if status != "paid" or is_settled_by_balance else max(stated["total"], 0),
            **stated,
        )
    )


def _within(draw: Draw, story: _Story) -> datetime:
    """A moment in the running term: on a day boundary of the cycle, near its ends, or anywhere."""
    length = (story.end - story.start) // MINUTE
    minutes = draw(
        st.sampled_from([length // 2, length // 3, 1, length - 60, length - 24 * 60]) | st.integers(1, length - 1)
    )
    return story.start + minutes * MINUTE


def _start_plan(draw: Draw, story: _Story) -> None:
    """The first invoice of a plan: its own period is empty."""
    _bill(draw, story, story.term_net, (story.start, story.end), (story.start, story.start))


def _appear_renewed(draw: Draw, story: _Story) -> None:
    """A renewal as the first invoice of a story: the terms before it are not to be seen."""
    before = add_months(story.start, -story.months)
    _bill(draw, story, story.term_net, (story.start, story.end), (before, story.start))


def _renew(draw: Draw, story: _Story) -> None:
    """The next term, billed in advance; the invoice's period is the one before it. Some carry arrears."""
    before = story.start
    story.start, story.end = story.end, add_months(story.end, story.months)
    if before.day > 28 and story.months == 1:  # an anchor at a month's end comes back after February
        story.end = add_months(before, 2)
    starts_at = before if draw(st.sampled_from([False] * 5 + [True])) else story.start + draw(jitter) * MINUTE
    lines = (starts_at, story.end + draw(jitter) * MINUTE)
    _bill(
        draw,
        story,
        story.term_net + draw(st.sampled_from([0, 0, 0, 2, -3, 500])),
        lines,
        (before, story.start),
    )


def _appear_growing(draw: Draw, story: _Story) -> None:
    """A seat added, then a renewal for both seats, as the first invoices of a story."""
    before = add_months(story.start, -story.months)
    story.start, story.end = before, story.start
    moment = _within(draw, story)
    _bill(draw, story, story.unused(moment), (moment, story.end), (before, moment))
    story.start, story.end, story.price = story.end, add_months(story.end, story.months), 2 * story.price
    _bill(draw, story, story.term_net, (story.start, story.end), (before, story.start))


def _change_seats(draw: Draw, story: _Story, sign: int) -> None:
    """Seats added (+1) or taken away (-1) in mid-cycle: a proration to the end of the running term."""
    moment = _within(draw, story)
    seats = draw(st.sampled_from([1, 1, 2, 5]))
    period_start = draw(st.sampled_from([story.start, story.start, moment]))
    ends_at = story.end + draw(jitter) * MINUTE
    if ends_at <= moment:
        ends_at = story.end
    _bill(draw, story, sign * seats * story.unused(moment), (moment, ends_at), (period_start, moment))


def _restart(draw: Draw, story: _Story) -> None:
    """From one term to another: a new cycle that credits what the old one had unused."""
    moment = _within(draw, story)
    credit = story.unused(moment)
    story.start, story.months = moment, draw(st.sampled_from([12, 12, 1, 3]))
    story.end = add_months(moment, story.months)
    _bill(draw, story, story.term_net - credit, (moment, story.end), (moment, moment))


def _swap(draw: Draw, story: _Story) -> None:
    """From a longer term to a month: one invoice credits the unused rest and bills the first month."""
    moment = _within(draw, story)
    first_month = draw(st.sampled_from([story.price, story.price, 0, 5, 6, 7]))
    period_start = moment + draw(jitter) * MINUTE
    lines = (moment, story.end + draw(jitter) * MINUTE)
    if lines[1] <= moment:
        lines = (moment, story.end)
    _bill(draw, story, first_month - story.unused(moment), lines, (min(period_start, moment), moment))
    story.start, story.end, story.months = moment, add_months(moment, 1), 1


def _short(draw: Draw, story: _Story) -> None:
    """A charge of some minutes or hours, and sometimes of no length at all."""
    moment = _within(draw, story)
    length = draw(st.sampled_from([0, 1, 90, 12 * 60, 23 * 60 + 59]))
    _bill(draw, story, draw(prices), (moment, moment + length * MINUTE), (story.start, moment))


def _by_days(draw: Draw, story: _Story) -> None:
    """A charge over any number of days."""
    moment = _within(draw, story)
    length = draw(st.integers(1, 80)) * DAY + draw(clock_times) * MINUTE
    _bill(
        draw,
        story,
        draw(prices) - draw(st.sampled_from([0, 0, 1000])),
        (moment, moment + length),
        (moment, moment),
    )


def _free_month(draw: Draw, story: _Story) -> None:
    """The next term at a discount of 100 %, as free plans are billed."""
    before = story.start
    story.start, story.end = story.end, add_months(story.end, story.months)
    _bill(draw, story, 0, (story.start, story.end), (before, story.start))


def _without_lines(draw: Draw, story: _Story) -> None:
    """An invoice of the subscription without line items."""
    _bill(draw, story, draw(prices), None, (story.start, _within(draw, story)))


def _one_off(draw: Draw, story: _Story) -> None:
    """Something else that the customer bought."""
    moment = _within(draw, story)
    _bill(draw, story, draw(prices), (moment, moment), (story.start, moment))
    story.invoices[-1] = replace(story.invoices[-1], subscription_id=None)


def _come_back(draw: Draw, story: _Story) -> None:
    """A gap, then the plan from the start."""
    story.start = add_months(story.end, draw(st.integers(1, 3))) + draw(st.integers(0, 10)) * DAY
    story.end = add_months(story.start, story.months)
    _start_plan(draw, story)


EVENTS = (
    [_renew] * 5
    + [partial(_change_seats, sign=1)] * 3
    + [partial(_change_seats, sign=-1)] * 3
    + [_restart] * 3
    + [_swap] * 3
    + [_come_back] * 2
    + [_short, _by_days, _free_month, _without_lines, _one_off]
)


def _subscription(draw: Draw, customer_id: str, subscription_id: str, most: int) -> list[Invoice]:
    """The invoices of one subscription, at most `most`."""
    start = draw(moments())
    months = draw(st.sampled_from([1, 1, 1, 12, 12, 3]))
    currency = draw(st.sampled_from(["eur", "eur", "usd"]))
    story = _Story(customer_id, subscription_id, currency, start, add_months(start, months), months, draw(prices), [])
    opening = draw(st.sampled_from([_start_plan, _start_plan, _appear_renewed, _appear_growing, _appear_growing]))
    opening(draw, story)
    for event in draw(st.lists(st.sampled_from(EVENTS), max_size=most - 1)):
        event(draw, story)
    return story.invoices


# ------------------------------------------------------------------------------------------------ the company


@st.composite
def companies(draw: Draw) -> Company:
    """A company with one to four customers, one to three subscriptions each, and at most a dozen invoices."""
    invoices: list[Invoice] = []
    customer_ids = ["cus_B", "cus_a", "cus_c", "cus_D"][: draw(st.integers(1, 4))]
    for customer_id in customer_ids:
        for number in range(draw(st.sampled_from([1, 1, 2, 3]))):
            room = LARGEST_COMPANY - len(invoices)
            if room > 0:
                subscription_id = f"sub_{customer_id[4:]}{number}"
                invoices += _subscription(draw, customer_id, subscription_id, min(room, 6))
    invoices = _with_ids(draw, _seen_from(draw, invoices))
    customers = [_customer(draw, customer_id, invoices) for customer_id in customer_ids]
    return Company(invoices, [customer for customer in customers if customer is not None])


def _seen_from(draw: Draw, invoices: list[Invoice]) -> list[Invoice]:
    """What an export shows that starts with one of the invoices: the ones before it are hidden."""
    issued = sorted(invoice.issued_at for invoice in invoices)
    first = issued[draw(st.integers(0, len(issued) // 2))]
    return [invoice for invoice in invoices if invoice.issued_at >= first]


def _with_ids(draw: Draw, invoices: list[Invoice]) -> list[Invoice]:
    """Ids in any order, in both cases, so that ties are decided by code point and not by a collation."""
    names = [f"in_{letter}{number}" for number in range(3) for letter in "aBcD"]
    shuffled = draw(st.permutations(names))
    return [replace(invoice, invoice_id=name) for invoice, name in zip(invoices, shuffled, strict=False)]


def _customer(draw: Draw, customer_id: str, invoices: list[Invoice]) -> Customer | None:
    """What the customer file says, which may be nothing."""
    if draw(st.sampled_from([False] * 7 + [True])):
        return None
    own = [invoice for invoice in invoices if invoice.customer_id == customer_id]
    first = min((invoice.issued_at for invoice in own), default=datetime(2025, 1, 1))
    created_at = draw(st.sampled_from([first, first - HOUR, datetime(2023, 5, 31, 23, 59), datetime(2022, 1, 1), None]))
    payments = sum(invoice.amount_paid > 0 for invoice in own) + draw(st.sampled_from([0, 0, 1, 7]))
    return Customer(customer_id, created_at, draw(st.sampled_from([payments, payments, payments, None])))
