"""One customer on a day: the charges behind the MRR, how it got there, and what is known of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus

from pgmrr.page import charts
from pgmrr.page.model import Customer, Figure, Section, Table
from pgmrr.page.scope import Scope, counted
from pgmrr.reports import CUSTOMER_AT, EXPLAIN
from pgmrr.show import Column, Kind, Row, text_of
from pgmrr.web.filters import CustomerAsked
from pgmrr.web.http import Problem

# Days and numbers of lines are never cut, as the terminal must.
_UNCUT = {"starts_on": Kind.label, "ends_on": Kind.label, "line_number": Kind.count}
_CHARGE = [replace(column, kind=_UNCUT.get(column.name, column.kind)) for column in EXPLAIN.columns]

_POINTS = 400  # of a trajectory

_CUSTOMER = """
    select customer_id, name, created_on, attributes
    from kpi.customer
    where customer_id = %(customer)s
"""

_TRAJECTORY = """
    select d.day, kpi.mrr_at(%(customer)s, d.day) as closing
    from kpi.mrr_daily d
    where (%(last)s::date - d.day) %% %(step)s = 0
    order by d.day
"""

_MOVEMENTS = """
    select effective_on, customer_id, kind, change, mrr_after, currency, change_in_currency
    from kpi.movements()
    where customer_id = %(customer)s
    order by effective_on, currency collate "C"
"""


def sections_of(scope: Scope, asked: CustomerAsked) -> tuple[str, list[Section]]:
    """The customer's name, and the sections. Raises Problem where there is no such customer."""
    found = scope.ask(_CUSTOMER, customer=asked.customer)
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no customer {asked.customer!r}")
    [customer] = found
    day = asked.day or scope.last
    movements = scope.ask(_MOVEMENTS, customer=asked.customer)
    sections = [
        _explained(scope, asked, day, movements),
        _trajectory(scope, asked.customer, movements),
        _known(customer),
    ]
    return customer["name"], sections


def _explained(scope: Scope, asked: CustomerAsked, day: date, movements: Sequence[Row]) -> Section:
    """Why is the MRR what it is?"""
    [at] = CUSTOMER_AT.ask(scope.connection, {"customer": asked.customer, "day": day, "currency": asked.currency})
    days = [day]
    if at["mrr"] is None:
        covered = f"{scope.coverage['observed_from']} to {scope.coverage['complete_through']}"
        says = f"MRR on {day} is unknown: it is known from {covered}."
    else:
        says = f"MRR on {day} is {text_of(at['mrr'], Kind.money)} {at['currency']} a month."
        changes = [row for row in movements if row["effective_on"] == day]
        if changes:
            told = ", ".join(
                f"{row['kind']} {text_of(row['change'], Kind.change_cents)} {scope.currency}" for row in changes
            )
            says += f" It changed on this day: {told}."
            days.append(day - timedelta(days=1))
    charges = {on: EXPLAIN.ask(scope.connection, {"customer": asked.customer, "day": on}) for on in days}
    if at["mrr"] is not None and not charges[day]:
        says += " No charge is in force."
    return Section(
        "explained",
        f"MRR on {day}",
        says,
        [f"kpi.mrr_explain({_quoted(asked.customer)}, '{on}')" for on in days],
        tables=[
            Table(
                f"Charges in force on {on}" + ("" if on == day else ", the day before the change"),
                _CHARGE,
                rows,
                is_open=True,
            )
            for on, rows in charges.items()
            if rows
        ],
        notes=["The charges add up to the MRR in the currency in which they are billed."] if charges[day] else (),
    )


def _trajectory(scope: Scope, customer: str, movements: Sequence[Row]) -> Section:
    """How did it get there?"""
    step = max(1, (scope.last - scope.first).days // _POINTS)
    points = scope.ask(_TRAJECTORY, customer=customer, step=step)
    label = f"MRR of the customer from {scope.first} to {scope.last}"
    figure = Figure("trajectory", label, charts.mrr, points, {"currency": scope.currency})
    return Section(
        "trajectory",
        "How it moved",
        f"{counted(len(movements), 'movement')} in the days that are known."
        if movements
        else "No movement in the days that are known.",
        ["kpi.mrr_at(customer, date)", "kpi.movements()"],
        [figure] if any(point["closing"] for point in points) else (),
        [
            Table(
                f"Movements; change and MRR after it in {scope.currency} a month",
                [
                    Column("effective_on", "Day", Kind.label),
                    Column("kind", "Kind", Kind.label),
                    Column("change", "Change", Kind.change_cents),
                    Column("mrr_after", "MRR after", Kind.money),
                    Column("change_in_currency", "As billed", Kind.change_cents),
                    Column("currency", "Currency", Kind.label),
                ],
                movements,
                {"effective_on": lambda row: Customer(customer, row["effective_on"])},
                is_open=True,
            )
        ]
        if movements
        else (),
    )


def _known(customer: Row) -> Section:
    """What does the source say of them?"""
    created = customer["created_on"]
    known = [{"name": "id", "value": customer["customer_id"]}]
    known += [
        {"name": name, "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
        for name, value in (customer["attributes"] or {}).items()
    ]
    return Section(
        "known",
        "What is known of the customer",
        f"Created on {created}." if created else "It is not known when the customer was created.",
        [f"kpi.customer where customer_id = {_quoted(customer['customer_id'])}"],
        tables=[
            Table("Attributes", [Column("name", "Attribute"), Column("value", "Value")], known, is_open=True),
        ],
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
