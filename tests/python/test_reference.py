"""Tests of the reference: worked examples, the hand-written export, and what must always hold."""

import csv
import random
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from reference import (
    Charge,
    Customer,
    Invoice,
    Movement,
    Result,
    Settings,
    add_months,
    balance_at,
    evaluate,
    mrr_at,
    read_stripe_export,
    round_half_away,
    whole_months,
)
from strategies import Company, companies, settings

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"

generated = hypothesis_settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M")


def cents(text: str) -> int | None:
    """Two decimals to cents, without the reader that is under test; None for an empty string."""
    return int(text.replace(".", "")) if text else None


def bill(net: int, lines: tuple[str, str], period: tuple[str, str] | None = None, **facts: object) -> Invoice:
    """A paid EUR invoice of one subscription without tax, issued at its period's end."""
    start, end = period or (lines[0], lines[0])
    given_facts = {
        "invoice_id": f"in_{lines[0]}",
        "customer_id": "cus_1",
        "subscription_id": "sub_1",
        "currency": "eur",
        "status": "paid",
        "issued_at": at(end),
        "total": net,
        "amount_paid": max(net, 0),
        **facts,
    }
    return Invoice(
        period_start=at(start),
        period_end=at(end),
        line_start=at(lines[0]),
        line_end=at(lines[1]),
        **given_facts,
    )


def last_charge(*invoices: Invoice) -> Charge:
    """The charge of the last of these invoices, evaluated together, without implied cycles."""
    result = evaluate(invoices, [], Settings(implied=False))
    return next(charge for charge in result.charges if charge.invoice_id == invoices[-1].invoice_id)


# --------------------------------------------------------------- the methodology's worked examples (R5 to R7)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2025-01-31 0:00", "2025-02-28 0:00", 1),
        ("2025-02-28 0:00", "2025-03-31 0:00", 1),
        ("2024-01-31 0:00", "2024-02-29 0:00", 1),
        ("2025-02-01 7:53", "2026-02-01 7:53", 12),
        ("2025-02-01 0:00", "2025-03-01 2:00", 1),
        ("2025-02-01 0:00", "2025-03-01 2:01", None),
        ("2025-02-01 0:00", "2025-02-15 0:00", None),
        ("2025-02-01 0:00", "2025-02-01 0:00", None),
    ],
)
def test_a_period_is_a_whole_number_of_months_or_none(start: str, end: str, months: int | None) -> None:
    assert whole_months(at(start), at(end)) == months


def test_adding_months_stops_at_the_end_of_a_month() -> None:
    assert add_months(at("2025-01-31 9:00"), 1) == at("2025-02-28 9:00")
    assert add_months(at("2024-01-31 9:00"), 1) == at("2024-02-29 9:00")
    assert add_months(at("2025-03-31 9:00"), -1) == at("2025-02-28 9:00")
    assert add_months(at("2025-01-15 9:00"), -13) == at("2023-12-15 9:00")


def test_halves_are_rounded_away_from_zero() -> None:
    assert [round_half_away(Fraction(n, 2)) for n in (-3, -1, 0, 1, 3, 5)] == [-2, -1, 0, 1, 2, 3]


def test_a_monthly_renewal_counts_without_its_tax() -> None:
    renewal = bill(
        10440,
        ("2025-02-27 9:37", "2025-03-27 9:37"),
        ("2025-01-27 9:37", "2025-02-27 9:37"),
        tax_exclusive=1740,
        tax_inclusive=0,
    )
    charge = last_charge(renewal)
    assert (charge.basis, charge.months, charge.net, charge.mrr) == ("term", 1, 8700, 8700)
    only_one_column = replace(renewal, tax_exclusive=None, tax_inclusive=None, tax=1740)
    assert last_charge(only_one_column).mrr == 8700


def test_an_annual_invoice_counts_a_twelfth() -> None:
    charge = last_charge(bill(1044000, ("2025-02-01 7:53", "2026-02-01 7:53")))
    assert (charge.basis, charge.months, charge.mrr) == ("term", 12, 87000)


def test_a_seat_added_in_mid_cycle_counts_its_full_price() -> None:
    lines, period = ("2025-02-13 17:45", "2025-02-22 13:20"), ("2025-01-22 13:20", "2025-02-13 17:45")
    charge = last_charge(bill(1109, lines, period))
    assert (charge.basis, charge.months, charge.mrr) == ("proration", 1, 3900)


def test_a_doubled_plan_counts_double_though_half_a_month_was_billed() -> None:
    first = bill(25000, ("2025-04-01 0:00", "2025-05-01 0:00"))
    doubled = bill(12500, ("2025-04-16 0:00", "2025-05-01 0:00"))
    charge = last_charge(first, doubled)
    assert (charge.basis, charge.mrr) == ("proration", 25000)


def test_a_change_from_monthly_to_annual_counts_the_list_price() -> None:
    month = bill(2996, ("2025-02-03 7:33", "2025-03-03 7:33"))  # 25 of 28 days unused: 26.75
    year = bill(68125, ("2025-02-06 7:33", "2026-02-06 7:33"))
    assert last_charge(month, year).mrr == 5900
    assert last_charge(replace(month, status="open"), year).mrr == 5677
    result = evaluate([month, year], [])
    assert [(c.ends_at, c.mrr) for c in result.charges] == [
        (at("2025-02-06 7:33"), 2996),
        (at("2026-02-06 7:33"), 5900),
    ]


def test_a_change_from_annual_to_monthly_counts_the_monthly_price() -> None:
    year = bill(104400, ("2025-02-04 21:04", "2026-02-04 21:04"))  # 1,039.36 unused
    month = bill(-92236, ("2025-02-06 11:58", "2026-02-04 21:04"))
    charge = last_charge(year, month)
    assert (charge.basis, charge.months, charge.mrr) == ("term", 1, 11700)
    assert charge.ends_at == at("2025-03-06 11:58")


# ------------------------------------------------------------------------------------ the hand-written export


@pytest.fixture(scope="module")
def handmade() -> Result:
    return evaluate(*read_stripe_export(HANDMADE / "invoices.csv", HANDMADE / "customers.csv"))


def expected(name: str) -> list[dict[str, str]]:
    with (HANDMADE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_hand_written_export_makes_the_charges_computed_by_hand(handmade: Result) -> None:
    wanted = {
        (row["invoice_id"], row["basis"]): (
            (row["customer_id"], row["subscription_id"], row["currency"]),
            (at(row["starts_at"]), at(row["ends_at"])),
            (date.fromisoformat(row["starts_on"]), date.fromisoformat(row["ends_on"])),
            (cents(row["net"]), int(row["months"]) if row["months"] else None),
            (cents(row["mrr"]), cents(row["unmatched"])),
            (row["carries_arrears"] == "true", row["note"] or None),
        )
        for row in expected("expected_charges.csv")
    }
    computed = {
        (charge.invoice_id, charge.basis): (
            (charge.customer_id, charge.subscription_id, charge.currency),
            (charge.starts_at, charge.ends_at),
            (charge.starts_on, charge.ends_on),
            (charge.net, charge.months),
            (charge.mrr, charge.unmatched),
            (charge.carries_arrears, charge.note),
        )
        for charge in handmade.charges
    }
    assert computed == wanted
    assert len(handmade.charges) == len(wanted) == 30


def test_the_hand_written_export_makes_the_ledger_computed_by_hand(handmade: Result) -> None:
    wanted = {
        Movement(
            row["customer_id"],
            row["currency"],
            date.fromisoformat(row["effective_on"]),
            cents(row["change"]),
            cents(row["balance"]),
            row["kind"],
        )
        for row in expected("expected_ledger.csv")
    }
    assert set(handmade.ledger) == wanted
    assert len(handmade.ledger) == len(wanted) == 38


def test_the_hand_written_export_sets_aside_what_makes_no_charge(handmade: Result) -> None:
    wanted = {tuple(row.values()) for row in expected("expected_set_aside.csv")}
    not_counted = {(set_aside.invoice_id, "not counted", set_aside.status, "") for set_aside in handmade.not_counted}
    one_off = {
        (set_aside.invoice_id, "one-off", set_aside.reason, str(set_aside.possible_replacement).lower())
        for set_aside in handmade.one_off
    }
    assert not_counted | one_off == wanted
    assert len(wanted) == 5


def test_the_hand_written_export_says_what_it_covers(handmade: Result) -> None:
    coverage = handmade.coverage
    assert (coverage.observed_from, coverage.complete_through) == (date(2025, 1, 2), date(2025, 3, 9))
    assert coverage.longest_term_months == 12


def test_mrr_is_unknown_outside_coverage_and_zero_inside(handmade: Result) -> None:
    assert mrr_at(handmade, "cus_ada", date(2025, 2, 10)) == {"eur": 5002, "usd": 1500}
    assert mrr_at(handmade, "cus_ada", date(2025, 1, 1)) is None
    assert mrr_at(handmade, "cus_ada", date(2025, 3, 10)) is None
    assert mrr_at(handmade, "cus_never", date(2025, 2, 10)) == {}
    assert mrr_at(handmade, "cus_unheard_of", date(2025, 2, 10)) is None


def test_the_reader_takes_points_padding_and_columns_in_any_order(tmp_path: Path) -> None:
    with (HANDMADE / "invoices.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    amounts = ("Total", "Tax", "Exclusive Tax Amount", "Inclusive Tax Amount", "Amount Paid")
    for row in rows:
        row.update({name: row[name].replace(",", ".") for name in amounts})
        row["Date (UTC)"] = f"{at(row['Date (UTC)']):%Y-%m-%d %H:%M:%S}"
    with (tmp_path / "invoices.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, sorted(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert (
        read_stripe_export(tmp_path / "invoices.csv", None)[0] == read_stripe_export(HANDMADE / "invoices.csv", None)[0]
    )


# ------------------------------------------------------------------------------------------ what always holds


@generated
@given(companies(), settings())
def test_every_invoice_is_accounted_for_once(company: Company, report: Settings) -> None:
    result = evaluate(company.invoices, company.customers, report)
    seen = [charge.invoice_id for charge in result.charges if charge.basis != "implied"]
    seen += [set_aside.invoice_id for set_aside in result.one_off + result.not_counted]
    assert sorted(seen) == sorted(invoice.invoice_id for invoice in company.invoices)


@generated
@given(companies(), settings())
def test_the_order_of_the_input_changes_nothing(company: Company, report: Settings) -> None:
    shuffled = list(company.invoices)
    random.Random(1).shuffle(shuffled)
    result = evaluate(company.invoices, company.customers, report)
    assert evaluate(shuffled, reversed(company.customers), report) == result


@generated
@given(companies(), settings())
def test_the_ledger_adds_up_and_is_never_negative(company: Company, report: Settings) -> None:
    result = evaluate(company.invoices, company.customers, report)
    running: Counter[tuple[str, str]] = Counter()
    for movement in result.ledger:
        running[movement.customer_id, movement.currency] += movement.change
        assert running[movement.customer_id, movement.currency] == movement.balance >= 0
        assert movement.change != 0
    assert not any(running.values())  # every charge ends


@generated
@given(companies(), settings())
def test_the_ledger_says_what_the_charges_in_force_say(company: Company, report: Settings) -> None:
    result = evaluate(company.invoices, company.customers, report)
    days = {charge.starts_on for charge in result.charges} | {charge.ends_on for charge in result.charges}
    for customer_id in result.customers:
        for day in days:
            last_rows = {
                movement.currency: movement.balance
                for movement in result.ledger
                if movement.customer_id == customer_id and movement.effective_on <= day
            }
            from_ledger = {currency: balance for currency, balance in last_rows.items() if balance > 0}
            assert from_ledger == balance_at(result, customer_id, day)


@generated
@given(companies(), settings())
def test_kinds_tell_a_life(company: Company, report: Settings) -> None:
    result = evaluate(company.invoices, company.customers, report)
    for customer_id in result.customers:
        is_active, was_active = False, False
        own = [movement for movement in result.ledger if movement.customer_id == customer_id]
        for day in sorted({movement.effective_on for movement in own}):
            kinds = {movement.kind for movement in own if movement.effective_on == day}
            if not is_active:
                assert len(kinds) == 1
                assert kinds <= ({"reactivation"} if was_active else {"preexisting", "new", "reactivation"})
            elif not balance_at(result, customer_id, day):
                assert kinds == {"churn"}
            else:
                assert kinds <= {"expansion", "contraction", "rounding"}
            is_active = bool(balance_at(result, customer_id, day))
            was_active = was_active or is_active
        assert not is_active
    for movement in result.ledger:
        assert movement.kind not in ("contraction", "churn") or movement.change < 0
        assert movement.kind in ("contraction", "churn", "rounding") or movement.change > 0


@generated
@given(companies(), settings())
def test_a_complete_history_has_nothing_hidden(company: Company, report: Settings) -> None:
    result = evaluate(company.invoices, company.customers, replace(report, history="complete"))
    assert all(charge.basis != "implied" for charge in result.charges)
    assert all(movement.kind != "preexisting" for movement in result.ledger)


@generated
@given(companies(), settings())
def test_customers_do_not_touch_each_other(company: Company, report: Settings) -> None:
    complete = replace(report, history="complete")
    together = evaluate(company.invoices, company.customers, complete)
    for customer_id in together.customers:
        own = [invoice for invoice in company.invoices if invoice.customer_id == customer_id]
        alone = evaluate(own, [c for c in company.customers if c.customer_id == customer_id], complete)
        assert alone.charges == [c for c in together.charges if c.customer_id == customer_id]
        assert alone.ledger == [m for m in together.ledger if m.customer_id == customer_id]


@generated
@given(companies(), settings())
def test_charges_keep_within_their_bounds(company: Company, report: Settings) -> None:
    invoices = {invoice.invoice_id: invoice for invoice in company.invoices}
    for charge in evaluate(company.invoices, company.customers, report).charges:
        assert charge.starts_at <= charge.ends_at
        assert charge.unmatched >= 0
        assert (charge.note is None) == (charge.starts_on < charge.ends_on)
        if charge.basis == "implied":
            assert charge.mrr >= 0
            assert charge.starts_at == invoices[charge.invoice_id].period_start
        elif charge.unmatched > 0:
            assert charge.net < 0
            assert charge.mrr <= 0


def test_the_generated_companies_run_into_every_rule() -> None:
    met: Counter[str] = Counter()

    @hypothesis_settings(generated, max_examples=500)
    @given(companies(), settings())
    def look(company: Company, report: Settings) -> None:
        met.update(rules_met(company, evaluate(company.invoices, company.customers, report)))

    look()
    every_rule = {"swap", "restart", "cut", "arrears", "implied seats", "matched credit", "unmatched credit"}
    every_rule |= {"term", "proration", "days", "implied", "shorter than a day", "two currencies"}
    every_rule |= {"no subscription", "no service period", "empty service period", "possible replacement"}
    every_rule |= {"preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn"}
    assert every_rule - set(met) == set()


def rules_met(company: Company, result: Result) -> set[str]:
    """The names of the rules that decided something about a company."""
    met: set[str] = {movement.kind for movement in result.ledger}
    met |= {charge.note for charge in result.charges if charge.note}
    met |= {set_aside.reason for set_aside in result.one_off}
    met |= {"possible replacement" for set_aside in result.one_off if set_aside.possible_replacement}
    invoices = {invoice.invoice_id: invoice for invoice in company.invoices}
    terms = {charge.invoice_id: charge for charge in result.charges if charge.basis == "term"}
    for charge in result.charges:
        is_term = charge.basis == "term"
        billed = charge.net if charge.net is not None else 0
        facts = {
            charge.basis: True,
            "swap": is_term and billed < 0 < charge.mrr,
            "restart": is_term and billed > 0 and charge.mrr > round_half_away(Fraction(billed, charge.months)),
            "cut": charge.ends_at < invoices[charge.invoice_id].line_end and billed > 0,
            "arrears": charge.carries_arrears,
            "implied seats": charge.basis == "implied" and 0 < charge.mrr < terms[charge.invoice_id].mrr,
            "matched credit": charge.mrr < 0,
            "unmatched credit": charge.unmatched > 0,
            "renewed together": charge.basis == "implied" and charge.mrr > terms[charge.invoice_id].mrr,
        }
        met |= {name for name, is_met in facts.items() if is_met}
    by_customer = {(charge.customer_id, charge.currency) for charge in result.charges}
    if len(by_customer) > len({customer_id for customer_id, _ in by_customer}):
        met.add("two currencies")
    return met


# ------------------------------------------------------------------------------------ corners of single rules


def test_the_reporting_time_zone_decides_the_days() -> None:
    invoice = bill(3900, ("2025-01-31 20:00", "2025-02-28 20:00"))
    in_auckland = evaluate([invoice], [], Settings(time_zone="Pacific/Auckland")).charges[0]
    assert (in_auckland.starts_on, in_auckland.ends_on) == (date(2025, 2, 1), date(2025, 3, 1))
    assert in_auckland.months == 1


def test_a_void_invoice_never_counts_even_if_the_setting_names_it() -> None:
    invoice = bill(3900, ("2025-01-31 20:00", "2025-02-28 20:00"), status="void")
    assert evaluate([invoice], [], Settings(counted_statuses=("paid", "void"))).charges == []


def test_a_restart_needs_more_than_twelve_hours() -> None:
    month = bill(3000, ("2025-01-01 0:00", "2025-02-01 0:00"))
    at_the_limit = bill(120000, ("2025-01-31 12:00", "2026-01-31 12:00"))
    beyond_it = bill(120000, ("2025-01-31 11:59", "2026-01-31 11:59"))
    assert evaluate([month, at_the_limit], []).charges[0].ends_at == at("2025-02-01 0:00")
    assert evaluate([month, beyond_it], []).charges[0].ends_at == at("2025-01-31 11:59")


def test_a_customer_with_earlier_payments_comes_back() -> None:
    invoices = [
        bill(100, ("2025-01-01 0:00", "2025-02-01 0:00"), customer_id="cus_0"),
        bill(3900, ("2025-02-01 0:00", "2025-03-01 0:00")),
    ]
    created = at("2024-05-01 0:00")
    for payments, kind in ((2, "reactivation"), (1, "new")):
        ledger = evaluate(invoices, [Customer("cus_1", created, payments)]).ledger
        assert [movement.kind for movement in ledger if movement.customer_id == "cus_1"] == [kind, "churn"]


def test_no_invoices_make_nothing() -> None:
    result = evaluate([], [Customer("cus_1")])
    assert (result.charges, result.ledger, result.coverage.observed_from) == ([], [], None)
    assert mrr_at(result, "cus_1", date(2025, 1, 1)) is None


def test_an_empty_day_has_no_balance() -> None:
    result = evaluate([bill(3900, ("2025-01-31 20:00", "2025-02-28 20:00"))], [])
    last_day = date(2025, 2, 28)
    assert balance_at(result, "cus_1", last_day - timedelta(days=1)) == {"eur": 3900}
    assert balance_at(result, "cus_1", last_day) == {}
