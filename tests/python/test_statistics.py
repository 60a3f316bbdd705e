"""What the planner believes about the tables must not decide how long a refresh takes."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import facts
from reference import Settings, read_stripe_export

COPIES = 150


@pytest.mark.parametrize("pages", [0, 1000], ids=["never analyzed", "believed empty"])
def test_a_refresh_needs_no_statistics(database: str, repository: Path, pages: int) -> None:
    """After a rolled back import, a vacuum leaves statistics that take full pages for empty ones.

    Nested loops over what is believed to be a row or two would take hours here.
    """
    handmade = repository / "tests/data/handmade"
    invoices, customers = read_stripe_export(handmade / "invoices.csv", handmade / "customers.csv")
    many = [
        replace(
            invoice,
            invoice_id=f"{invoice.invoice_id}_{copy}",
            customer_id=f"{invoice.customer_id}_{copy}",
            subscription_id=invoice.subscription_id and f"{invoice.subscription_id}_{copy}",
        )
        for copy in range(COPIES)
        for invoice in invoices
    ]
    with psycopg.connect(database) as connection:
        facts.choose(connection, Settings())
        connection.execute(
            "update pg_class set reltuples = %s, relpages = %s"
            " where relnamespace in ('raw'::regnamespace, 'billing'::regnamespace, 'ledger'::regnamespace)",
            [0 if pages else -1, pages],
        )
        connection.execute("set local statement_timeout = '300s'")
        facts.bring_in(connection, many, customers, Settings())
        assert len(facts.charges(connection)) == 30 * COPIES
