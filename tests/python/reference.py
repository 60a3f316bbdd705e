"""The rules R1 to R11 of the methodology in plain Python: slow, obvious, and independent of the SQL.

The product computes revenue in set-based SQL. This module computes the same a second time, from the text of
the methodology alone, one charge after the other, so that tests can compare the two. It prefers clarity over
speed: money is integer cents (exact fractions where a rule divides), times are naive UTC datetimes, and every
function names the rule it states.

    invoices, customers = read_stripe_export(Path("invoices.csv"), Path("customers.csv"))
    result = evaluate(invoices, customers, Settings())
    mrr_at(result, "cus_1", date(2025, 2, 10))     # {"eur": 8700}: cents per month
"""

import calendar
import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import floor
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAYS_PER_MONTH = Fraction(304375, 10000)  # R5, R6: the mean month of the Julian year
SAME_MOMENT = 2 * HOUR  # R5, R7: how exactly a cycle must meet its month
SAME_RENEWAL = 12 * HOUR  # R7, R8: how exactly one cycle must meet the next
SHORTEST_CYCLE = 28 * DAY  # R8
REPLACEMENT_WINDOW = 31 * DAY  # R2
SMALLEST_SWAP = 5  # R7: cents that a swap must exceed to be one
FOREVER = datetime(9999, 12, 30)  # end of a service that goes on

Basis = Literal["term", "proration", "days", "implied", "listed"]
Kind = Literal["preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn"]


# ----------------------------------------------------------------------------------------- facts and settings


@dataclass(frozen=True)
class Invoice:
    """One invoice as its source states it. Times are naive UTC, money is cents, None is 'not stated'.

    Where the source has lines, it is one of them: a line of the invoice `of_invoice_id`. Where the source
    states the amount a month, that is `monthly`.
    """

    invoice_id: str
    customer_id: str
    subscription_id: str | None
    currency: str
    status: str
    issued_at: datetime
    period_start: datetime | None
    period_end: datetime | None
    line_start: datetime | None
    line_end: datetime | None
    total: int
    tax_exclusive: int | None = None
    tax_inclusive: int | None = None
    tax: int | None = None
    amount_paid: int = 0
    of_invoice_id: str | None = None
    monthly: int | None = None

    @property
    def is_line(self) -> bool:
        """Whether it stands for itself, not for an invoice that nets several things."""
        return self.of_invoice_id is not None


@dataclass(frozen=True)
class Customer:
    """One customer of the customer file: when it was created (naive UTC), and how often it has paid."""

    customer_id: str
    created_at: datetime | None = None
    payment_count: int | None = None


@dataclass(frozen=True)
class Settings:
    """What the rules depend on besides the facts.

    `observed_from` overrides the first covered day of a truncated history; `complete_through` is the last
    covered day of a complete one. Both are days in `time_zone`.
    """

    time_zone: str = "UTC"
    counted_statuses: tuple[str, ...] = ("paid", "open", "draft")
    rounding_tolerance_cents: int = 5
    implied: bool = True
    observed_from: date | None = None
    history: Literal["truncated", "complete"] = "truncated"
    complete_through: date | None = None

    def day(self, moment: datetime) -> date:
        """The day of a naive UTC time in the reporting time zone."""
        if moment == FOREVER:
            return FOREVER.date()
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(self.time_zone)).date()


# ---------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True)
class Charge:
    """Recurring money over a service period. Money is cents.

    `mrr` is what takes effect, after a credit's cap, and `unmatched` the part of a credit that met nothing.
    `ends_at` is the current end, which a restart or swap may have cut. `months` are the whole months of a
    term or of a prorated cycle. An implied charge carries the invoice that proves it, and no net.
    """

    customer_id: str
    subscription_id: str
    currency: str
    invoice_id: str
    basis: Basis
    starts_at: datetime
    ends_at: datetime
    starts_on: date
    ends_on: date
    net: int | None
    months: int | None
    mrr: int
    unmatched: int
    carries_arrears: bool
    note: str | None


@dataclass(frozen=True)
class OneOff:
    """A counted invoice that is not recurring (R2), with the reason why."""

    invoice_id: str
    customer_id: str
    currency: str
    status: str
    net: int
    reason: str
    possible_replacement: bool


@dataclass(frozen=True)
class NotCounted:
    """An invoice whose status does not count (R1)."""

    invoice_id: str
    status: str


@dataclass(frozen=True)
class Movement:
    """A day on which a customer's MRR in one currency changes: change and balance after it, in cents."""

    customer_id: str
    currency: str
    effective_on: date
    change: int
    balance: int
    kind: Kind


@dataclass(frozen=True)
class Coverage:
    """First and last day that the data can speak about, and the longest term seen, in months."""

    observed_from: date | None
    complete_through: date | None
    longest_term_months: int | None


@dataclass(frozen=True)
class Result:
    """Everything that R1 to R11 make of the facts; every list is sorted, whatever the order of the input."""

    charges: list[Charge]
    one_off: list[OneOff]
    not_counted: list[NotCounted]
    ledger: list[Movement]
    coverage: Coverage
    customers: frozenset[str]


# ------------------------------------------------------------------------------------------------- arithmetic


def add_months(moment: datetime, months: int) -> datetime:
    """Calendar months later (or earlier), on the last day of the month where the day does not exist."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def round_half_away(value: Fraction) -> int:
    """The nearest integer; halves go away from zero."""
    rounded = floor(abs(value) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


def ratio(part: timedelta, whole: timedelta) -> Fraction:
    """One duration over another, exactly."""
    microsecond = timedelta(microseconds=1)
    return Fraction(part // microsecond, whole // microsecond)


def whole_months(start: datetime, end: datetime) -> int | None:
    """R5: how many whole months [start, end) is, or None where it is not a whole number of months."""
    months = round_half_away(ratio(end - start, DAY) / DAYS_PER_MONTH)
    if months < 1:
        return None
    forwards = abs(add_months(start, months) - end)
    backwards = abs(add_months(end, -months) - start)
    return months if min(forwards, backwards) <= SAME_MOMENT else None


def net_of(invoice: Invoice) -> int:
    """R3: the total without its taxes, in cents; the undivided tax serves where neither part is stated."""
    if invoice.tax_exclusive is None and invoice.tax_inclusive is None:
        return invoice.total - (invoice.tax or 0)
    return invoice.total - (invoice.tax_exclusive or 0) - (invoice.tax_inclusive or 0)


# ----------------------------------------------------------------------------- R1 to R4: which invoices recur


@dataclass(eq=False)
class _Draft:
    """A charge in the making.

    `own_end` is the charge's E: what was billed, or one month after the start for a swap. `end` is where the
    charge stops now: E, or earlier where a restart or swap cut it.
    """

    invoice: Invoice
    start: datetime
    own_end: datetime
    end: datetime
    net: int | None
    amount: Fraction
    carries_arrears: bool = False
    settled: bool = False
    basis: Basis = "days"
    months: int | None = None
    mrr: int = 0
    unmatched: int = 0

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """R6: invoice date, S, invoice id."""
        return self.invoice.issued_at, self.start, self.invoice.invoice_id

    def unused(self, moment: datetime) -> Fraction:
        """The part of the amount that pays for the time from `moment` to E."""
        return self.amount * ratio(self.own_end - moment, self.own_end - self.start)


def _service_period(invoice: Invoice) -> tuple[datetime, datetime, bool] | None:
    """R4: start, end and whether the lines carry arrears; None where the period is missing or empty."""
    start, end = invoice.line_start, invoice.line_end
    if start is None or end is None:
        return None
    carries_arrears = not invoice.is_line and invoice.period_end is not None and start < invoice.period_end < end
    if carries_arrears:
        start = invoice.period_end
    return (start, end, carries_arrears) if start < end else None


def _one_off_reason(invoice: Invoice) -> str | None:
    """R2: why an invoice is not recurring, None where it is."""
    if invoice.subscription_id is None:
        return "no subscription"
    if invoice.line_start is None or invoice.line_end is None:
        return "no service period"
    if _service_period(invoice) is None:
        return "empty service period"
    return None


def _may_replace_another(invoice: Invoice, invoices: list[Invoice]) -> bool:
    """R2: whether the customer has a void or uncollectible subscription invoice within 31 days."""
    return any(
        other.customer_id == invoice.customer_id
        and other.status in ("void", "uncollectible")
        and other.subscription_id is not None
        and abs(other.issued_at - invoice.issued_at) <= REPLACEMENT_WINDOW
        for other in invoices
    )


def _draft(invoice: Invoice) -> _Draft:
    """The charge of a recurring invoice, before R5 to R8."""
    start, end, carries_arrears = _service_period(invoice)
    net = net_of(invoice)
    return _Draft(invoice, start, end, end, net, Fraction(net), carries_arrears)


# ----------------------------------------------------------- R5 to R8 and credits: one subscription at a time


def _walk(drafts: list[_Draft], settings: Settings) -> None:
    """R7, and R6.1: swaps, terms and restarts, in the order of the subscription's charges."""
    for position, draft in enumerate(drafts):
        earlier = drafts[:position]
        if draft.invoice.monthly is not None:
            draft.basis, draft.mrr = "listed", draft.invoice.monthly
            continue
        if draft.invoice.is_line:
            draft.months = whole_months(draft.start, draft.own_end)
            draft.basis = "term" if draft.months else draft.basis
            continue
        if _swap(draft, earlier, settings):
            continue
        draft.months = whole_months(draft.start, draft.own_end)
        if draft.months is not None:
            draft.basis = "term"
            _restart(draft, earlier)


def _swap(draft: _Draft, earlier: list[_Draft], settings: Settings) -> bool:
    """R7, swap: a credit for the rest of a longer term that also pays the first month of a monthly plan."""
    period_start = draft.invoice.period_start
    if draft.net >= 0 or period_start is None or abs(period_start - draft.start) > SAME_MOMENT:
        return False
    given_up = [
        other
        for other in earlier
        if other.start < draft.start < other.end and settings.day(other.own_end) == settings.day(draft.own_end)
    ]
    amount = draft.net + sum(other.unused(draft.start) for other in given_up)
    if amount <= SMALLEST_SWAP:
        return False
    for other in given_up:
        other.end = draft.start
    draft.own_end = draft.end = add_months(draft.start, 1)
    draft.amount, draft.basis, draft.months = amount, "term", 1
    return True


def _restart(draft: _Draft, earlier: list[_Draft]) -> None:
    """R7, restart: a term that begins while others run ends them and is owed what they had unused."""
    given_up = [
        other
        for other in earlier
        if other.start <= draft.start
        and other.end > draft.start + SAME_RENEWAL
        and abs(other.own_end - draft.own_end) > SAME_RENEWAL
    ]
    unused = Fraction(0)
    for other in given_up:
        other.end = draft.start
        if other.invoice.status == "paid":
            unused += other.unused(draft.start)
            other.settled = True
    draft.amount += max(unused, Fraction(0))


def _price(draft: _Draft, drafts: list[_Draft], settings: Settings) -> None:
    """R6: the MRR of one charge; swaps and terms are known already, and what is listed."""
    if draft.basis == "listed":
        return
    if draft.basis == "term":
        draft.mrr = round_half_away(draft.amount / draft.months)
        return
    cycle = _prorated_cycle(draft, drafts, settings)
    length = draft.own_end - draft.start
    if cycle is not None:
        cycle_start, draft.months = cycle
        draft.basis = "proration"
        draft.mrr = round_half_away(draft.net * ratio(draft.own_end - cycle_start, length) / draft.months)
    else:
        draft.basis = "days"
        draft.mrr = round_half_away(draft.net / (ratio(length, DAY) / DAYS_PER_MONTH))


def _prorated_cycle(draft: _Draft, drafts: list[_Draft], settings: Settings) -> tuple[datetime, int] | None:
    """R6.2: the earliest start of a cycle of whole months that ends with the charge, and its months."""
    candidates = {other.start for other in drafts if settings.day(other.own_end) == settings.day(draft.own_end)}
    if draft.invoice.period_start is not None:
        candidates.add(draft.invoice.period_start)
    for candidate in sorted(candidates):
        months = whole_months(candidate, draft.own_end) if candidate < draft.start else None
        if months is not None:
            return candidate, months
    return None


def _implied(drafts: list[_Draft], first_invoice_at: datetime, settings: Settings) -> _Draft | None:
    """R8: the cycle before the first term, where the export hides it and the renewal proves it."""
    position = next((index for index, draft in enumerate(drafts) if draft.basis == "term"), None)
    if position is None:
        return None
    renewal, earlier = drafts[position], drafts[:position]
    start, end = renewal.invoice.period_start, renewal.invoice.period_end
    if start is None or end is None:
        return None
    is_renewal = start < end and abs(renewal.start - end) <= SAME_RENEWAL and end - start >= SHORTEST_CYCLE
    is_hidden = start < first_invoice_at and not any(
        other.net >= 0 and other.start <= start + SAME_RENEWAL for other in earlier
    )
    if not (is_renewal and is_hidden):
        return None
    together = [
        other
        for other in drafts[position + 1 :]
        if renewal.invoice.is_line
        and other.invoice.of_invoice_id == renewal.invoice.of_invoice_id
        and other.basis == "term"
        and abs(other.start - renewal.start) <= SAME_RENEWAL
    ]
    renewed = renewal.mrr + sum(other.mrr for other in together)
    added = sum(other.mrr for other in earlier if settings.day(other.own_end) == settings.day(renewal.start))
    return _Draft(
        renewal.invoice,
        start,
        renewal.start,
        renewal.start,
        net=None,
        amount=Fraction(0),
        basis="implied",
        mrr=max(renewed - added, 0),
    )


def _cap_credits(drafts: list[_Draft]) -> None:
    """Credits: what is negative takes away at most what runs at its start and began before it."""
    credits = sorted((draft for draft in drafts if draft.mrr < 0), key=lambda draft: draft.start)
    for start, together in groupby(credits, key=lambda draft: draft.start):
        running = [draft for draft in drafts if draft.start < start < draft.end]
        available = max(sum(draft.mrr for draft in running), 0)
        for credit in together:
            taken = min(-credit.mrr, available)
            credit.unmatched = 0 if credit.settled else -credit.mrr - taken
            credit.mrr = -taken


def _subscription_charges(invoices: list[Invoice], first_invoice_at: datetime, settings: Settings) -> list[_Draft]:
    """R4 to R8 and the credits for one subscription in one currency."""
    drafts = sorted((_draft(invoice) for invoice in invoices), key=lambda draft: draft.order)
    _walk(drafts, settings)
    for draft in drafts:
        _price(draft, drafts, settings)
    if settings.implied and settings.history == "truncated":
        implied = _implied(drafts, first_invoice_at, settings)
        if implied is not None:
            drafts = [implied, *drafts]
    _cap_credits(drafts)
    return drafts


def _charge(draft: _Draft, settings: Settings) -> Charge:
    """The finished charge with its days in the reporting time zone."""
    starts_on, ends_on = settings.day(draft.start), settings.day(draft.end)
    return Charge(
        customer_id=draft.invoice.customer_id,
        subscription_id=draft.invoice.subscription_id,
        currency=draft.invoice.currency,
        invoice_id=draft.invoice.invoice_id,
        basis=draft.basis,
        starts_at=draft.start,
        ends_at=draft.end,
        starts_on=starts_on,
        ends_on=ends_on,
        net=draft.net,
        months=draft.months,
        mrr=draft.mrr,
        unmatched=draft.unmatched,
        carries_arrears=draft.carries_arrears,
        note="shorter than a day" if starts_on >= ends_on else None,
    )


# ------------------------------------------------------------------------------------- R9 and R10: the ledger


def _daily_changes(charges: list[Charge]) -> dict[date, dict[str, tuple[int, int]]]:
    """R9: by day and currency the change and the balance after it, for one customer, days in order."""
    steps: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for charge in charges:
        if charge.starts_on < charge.ends_on:
            steps[charge.currency][charge.starts_on] += charge.mrr
            if charge.ends_on < FOREVER.date():
                steps[charge.currency][charge.ends_on] -= charge.mrr
    changes: dict[date, dict[str, tuple[int, int]]] = defaultdict(dict)
    for currency, by_day in sorted(steps.items()):
        in_force = balance = 0
        for day, step in sorted(by_day.items()):
            in_force += step
            before, balance = balance, max(in_force, 0)
            if balance != before:
                changes[day][currency] = (balance - before, balance)
    return dict(sorted(changes.items()))


@dataclass(frozen=True)
class _History:
    """What R10 knows of one customer: its charges with their invoices, and what the customer file says."""

    customer_id: str
    charges: list[tuple[Charge, Invoice]]
    customer: Customer | None
    payments_seen: int


def _payments_seen(customer_id: str, invoices: list[Invoice]) -> int:
    """R10: how many of a customer's invoices were paid; the lines of one are one."""
    paid = (invoice for invoice in invoices if invoice.customer_id == customer_id and invoice.amount_paid > 0)
    return len({invoice.of_invoice_id or invoice.invoice_id for invoice in paid})


def _customer_ledger(history: _History, coverage: Coverage, settings: Settings) -> list[Movement]:
    """R10: the movements of one customer with their kinds."""
    ledger: list[Movement] = []
    balances: dict[str, int] = {}
    was_ever_active = False
    for day, changes in _daily_changes([charge for charge, _ in history.charges]).items():
        active_before = any(balances.values())
        balances |= {currency: balance for currency, (_, balance) in changes.items()}
        active_after = any(balances.values())
        for currency, (change, balance) in changes.items():
            if not active_before and was_ever_active:
                kind: Kind = "reactivation"
            elif not active_before:
                kind = _first_kind(day, history, coverage, settings)
            elif not active_after:
                kind = "churn"
            elif abs(change) <= settings.rounding_tolerance_cents:
                kind = "rounding"
            else:
                kind = "expansion" if change > 0 else "contraction"
            ledger.append(Movement(history.customer_id, currency, day, change, balance, kind))
        was_ever_active = was_ever_active or active_after
    return ledger


def _first_kind(day: date, history: _History, coverage: Coverage, settings: Settings) -> Kind:
    """R10: how a customer who was never positive before becomes so on `day`."""
    if settings.history == "complete":
        return "new"
    if day < coverage.observed_from or _continues(day, history):
        return "preexisting"
    if _paid_before(history, coverage, settings):
        return "reactivation"
    return "new"


def _continues(day: date, history: _History) -> bool:
    """R10: whether the day's first positive charge is a renewal or proration, with no free plan before."""
    starting = [pair for pair in history.charges if pair[0].starts_on == day and pair[0].mrr > 0]
    if not starting:
        return False
    _, invoice = min(starting, key=_implied_first)
    if invoice.period_start is None or invoice.period_end is None:
        return False
    had_free_plan = any(charge.net == 0 and charge.starts_on < day for charge, _ in history.charges)
    return invoice.period_start < invoice.period_end and not had_free_plan


def _implied_first(pair: tuple[Charge, Invoice]) -> tuple[bool, datetime, datetime, str]:
    charge, invoice = pair
    return charge.basis != "implied", invoice.issued_at, charge.starts_at, charge.invoice_id


def _paid_before(history: _History, coverage: Coverage, settings: Settings) -> bool:
    """R10: whether the customer file shows payments from before the export began."""
    customer = history.customer
    if customer is None or customer.created_at is None or customer.payment_count is None:
        return False
    created_before = settings.day(customer.created_at) < coverage.observed_from
    return created_before and customer.payment_count > history.payments_seen


# ---------------------------------------------------------------------------------------------- R11: coverage


def _coverage(invoices: list[Invoice], charges: list[Charge], settings: Settings) -> Coverage:
    """R11: what the data can speak about."""
    longest = max((charge.months for charge in charges if charge.basis == "term"), default=None)
    if settings.history == "complete":
        first_start = min((charge.starts_on for charge in charges), default=None)
        return Coverage(first_start, settings.complete_through, longest)
    if not invoices:
        return Coverage(settings.observed_from, None, longest)
    first = settings.day(min(invoice.issued_at for invoice in invoices))
    last = settings.day(max(invoice.issued_at for invoice in invoices))
    return Coverage(settings.observed_from or first + DAY, last - DAY, longest)


# -------------------------------------------------------------------------------------------- the whole of it


def evaluate(invoices: Iterable[Invoice], customers: Iterable[Customer], settings: Settings | None = None) -> Result:
    """From facts to charges, ledger and coverage, by the rules R1 to R11."""
    settings = settings or Settings()
    invoices = sorted(invoices, key=lambda invoice: invoice.invoice_id)
    by_id = {invoice.invoice_id: invoice for invoice in invoices}
    customer_of = {customer.customer_id: customer for customer in customers}

    not_counted: list[NotCounted] = []
    one_off: list[OneOff] = []
    subscriptions: dict[tuple[str, str, str], list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.status not in settings.counted_statuses or invoice.status in ("void", "uncollectible"):
            not_counted.append(NotCounted(invoice.invoice_id, invoice.status))
        elif (reason := _one_off_reason(invoice)) is not None:
            one_off.append(
                OneOff(
                    invoice.invoice_id,
                    invoice.customer_id,
                    invoice.currency,
                    invoice.status,
                    net_of(invoice),
                    reason,
                    _may_replace_another(invoice, invoices),
                )
            )
        else:
            key = (invoice.customer_id, invoice.subscription_id, invoice.currency)
            subscriptions[key].append(invoice)

    first_invoice_at = min((invoice.issued_at for invoice in invoices), default=datetime.min)
    charges = [
        _charge(draft, settings)
        for own_invoices in subscriptions.values()
        for draft in _subscription_charges(own_invoices, first_invoice_at, settings)
    ]
    charges.sort(key=lambda c: (c.customer_id, c.subscription_id, c.currency, c.starts_at, c.invoice_id, c.basis))
    coverage = _coverage(invoices, charges, settings)

    ledger: list[Movement] = []
    for customer_id, own in groupby(charges, key=lambda charge: charge.customer_id):
        history = _History(
            customer_id,
            charges=[(charge, by_id[charge.invoice_id]) for charge in own],
            customer=customer_of.get(customer_id),
            payments_seen=len(
                {
                    i.of_invoice_id or i.invoice_id
                    for i in invoices
                    if i.customer_id == customer_id and i.amount_paid > 0
                }
            ),
        )
        ledger += _customer_ledger(history, coverage, settings)

    known = frozenset(customer_of) | {invoice.customer_id for invoice in invoices}
    return Result(charges, one_off, not_counted, ledger, coverage, known)


def balance_at(result: Result, customer_id: str, day: date) -> dict[str, int]:
    """R9: a customer's positive balances on a day by currency, in cents per month, whether covered or not."""
    in_force: dict[str, int] = defaultdict(int)
    for charge in result.charges:
        if charge.customer_id == customer_id and charge.starts_on <= day < charge.ends_on:
            in_force[charge.currency] += charge.mrr
    return {currency: mrr for currency, mrr in in_force.items() if mrr > 0}


def mrr_at(result: Result, customer_id: str, day: date) -> dict[str, int] | None:
    """R9, R11: as `balance_at`, but None where unknown: a stranger, or a day that is not covered."""
    first, last = result.coverage.observed_from, result.coverage.complete_through
    is_covered = first is not None and first <= day and (last is None or day <= last)
    if customer_id not in result.customers or not is_covered:
        return None
    return balance_at(result, customer_id, day)


# ------------------------------------------------------------------------------------------ the Stripe export


def read_stripe_export(invoices_path: Path, customers_path: Path | None) -> tuple[list[Invoice], list[Customer]]:
    """Read the two files of a Stripe dashboard export, in any column order, with decimal comma or point.

    Raises KeyError where a column is missing, ValueError where a time or amount can't be read.
    """
    invoices = [
        Invoice(
            invoice_id=row["id"],
            customer_id=row["Customer"],
            subscription_id=row["Subscription"] or None,
            currency=row["Currency"],
            status=row["Status"],
            issued_at=_time(row["Date (UTC)"]),
            period_start=_time(row["Period Start (UTC)"]),
            period_end=_time(row["Period End (UTC)"]),
            line_start=_time(row["Minimum Line Item Period Start (UTC)"]),
            line_end=_time(row["Maximum Line Item Period End (UTC)"]),
            total=_cents(row["Total"]),
            tax_exclusive=_cents(row.get("Exclusive Tax Amount")),
            tax_inclusive=_cents(row.get("Inclusive Tax Amount")),
            tax=_cents(row.get("Tax")),
            amount_paid=_cents(row["Amount Paid"]) or 0,
        )
        for row in _rows(invoices_path)
    ]
    customers = [
        Customer(
            customer_id=row["id"],
            created_at=_time(row["Created (UTC)"]),
            payment_count=int(row["Payment Count"]) if row["Payment Count"] else None,
        )
        for row in (_rows(customers_path) if customers_path else [])
    ]
    return invoices, customers


def _rows(path: Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _time(text: str | None) -> datetime | None:
    """`2025-02-27 9:56` or `2025-02-27 09:56:00`, UTC; None for an empty string."""
    if not text:
        return None
    pattern = "%Y-%m-%d %H:%M:%S" if text.count(":") == 2 else "%Y-%m-%d %H:%M"
    return datetime.strptime(text, pattern)


def _cents(text: str | None) -> int | None:
    """`"104,40"` or `104.40` in cents; None for an empty string; a fraction of a cent is a ValueError."""
    if not text:
        return None
    cents = Decimal(text.replace(",", ".")) * 100
    if cents != cents.to_integral_value():
        raise ValueError(f"not a whole number of cents: {text!r}")
    return int(cents)
