"""Every charge can be traced: the line of the file that `kpi.mrr_explain` names holds its invoice, and its money."""

import csv
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from pgmrr.billing import Spelling, import_lines, import_periods
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, SaasParameters, simulate, simulate_saas
from pgmrr.staging import Place, Query, file_at
from pgmrr.stripe import import_stripe
from pgmrr.stripe_export import export_stripe

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"
REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"

CHARGES = """
    select customer_id, subscription_id, invoice_id, currency, net, mrr, basis, file, line_number, batch_id
    from kpi.charge
    order by customer_id, invoice_id, basis
"""

# Charges in force on a covered day, and how many of them kpi.mrr_explain tells, with the same origin.
EXPLAINED = """
    select
        count(*) as charges,
        count(*) filter (where exists (
            select
            from kpi.mrr_explain(c.customer_id, greatest(c.starts_on, v.observed_from)) e
            where (e.invoice_id, e.basis, e.mrr, e.batch_id) = (c.invoice_id, c.basis, c.mrr, c.batch_id)
                and (e.file, e.line_number) is not distinct from (c.file, c.line_number)
        )) as explained
    from kpi.charge c
    join kpi.coverage v
        on c.starts_on <= v.complete_through
        and coalesce(c.ends_on, 'infinity') > greatest(c.starts_on, v.observed_from)
"""

Line = dict[str, str]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


def records(path: Path) -> dict[int, Line]:
    """The records of a CSV file by the line on which each begins; the header is line 1."""
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        begins = reader.line_num + 1
        for fields in reader:
            found[begins] = dict(zip(header, fields, strict=True))
            begins = reader.line_num + 1
    return found


def traced(connection: psycopg.Connection, holds: Callable[[dict, Line], bool], *paths: Path) -> int:
    """Assert that each charge's line ``holds`` it, and that mrr_explain tells the same; how many charges there are."""
    files = {path.name: records(path) for path in paths}
    with connection.cursor(row_factory=dict_row) as cursor:
        charges = cursor.execute(CHARGES).fetchall()
    batches = {name for (name,) in connection.execute("select batch_id from kpi.batches").fetchall()}
    wrong = [
        charge
        for charge in charges
        if charge["batch_id"] not in batches or not holds(charge, files[charge["file"]][charge["line_number"]])
    ]
    assert wrong == []
    explained(connection)
    return len(charges)


def explained(connection: psycopg.Connection) -> None:
    [(charges, told)] = connection.execute(EXPLAINED).fetchall()
    assert charges == told > 0


def money(text: str) -> Decimal:
    return Decimal(text.replace(",", ".") or 0)


def holds_stripes(charge: dict, line: Line) -> bool:
    """Whether the line of a Stripe export is the charge's: its invoice, customer, currency and net amount (R3)."""
    both = (line["Exclusive Tax Amount"], line["Inclusive Tax Amount"])
    tax = sum(map(money, both)) if any(both) else money(line["Tax"])
    is_it = (line["id"], line["Customer"], line["Subscription"], line["Currency"].upper()) == (
        *(charge["invoice_id"], charge["customer_id"], charge["subscription_id"]),
        charge["currency"],
    )
    return is_it and (charge["basis"] == "implied" or charge["net"] == money(line["Total"]) - tax)


def holds_amount(charge: dict, line: Line) -> bool:
    """Whether the line of a file of lines or periods is the charge's: its id, customer and amount."""
    amount = charge["mrr"] if charge["basis"] == "listed" else charge["net"]
    is_it = (line["id"], line["customer"]) == (charge["invoice_id"].partition("#")[0], charge["customer_id"])
    return is_it and money(line["amount"]) == amount


def test_the_handmade_export(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    assert traced(connection, holds_stripes, HANDMADE / "invoices.csv") == 30


def test_the_real_export(connection: psycopg.Connection) -> None:
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
    assert traced(connection, holds_stripes, REAL / "invoices.csv") == 11_612


def test_a_simulation_and_its_export(connection: psycopg.Connection, database: str, tmp_path: Path) -> None:
    """A simulation has no file: its batch, and the invoice. What is exported from it has."""
    simulate_saas(connection, SaasParameters(companies=60, months=14))
    origins = connection.execute("select distinct file, line_number, batch_id from kpi.charge").fetchall()
    assert origins == [(None, None, 1)]
    explained(connection)
    export_stripe(connection, tmp_path)
    connection.execute("select pipeline.undo()")
    invoices = tmp_path / "invoices.csv"
    import_stripe(connection, invoices, tmp_path / "customers.csv")
    assert traced(connection, holds_stripes, invoices) > 300


def test_abc_enterprises(connection: psycopg.Connection) -> None:
    simulate(connection, Parameters(companies=20))
    explained(connection)


def test_records_of_several_lines_and_later_versions(connection: psycopg.Connection, tmp_path: Path) -> None:
    """A record is traced to the line on which it begins, an invoice to the file of its current version."""
    header, *lines = (HANDMADE / "invoices.csv").read_text(encoding="utf-8").splitlines()
    first = tmp_path / "january.csv"
    tall = [line.replace(',"0,00",,', ',"0,00","one\ncoupon",', 1) for line in lines]
    assert tall != lines
    first.write_text("\n".join([header, *tall]) + "\n", encoding="utf-8")
    import_stripe(connection, first)
    later = tmp_path / "february.csv"
    # The same invoices without their coupons; the newest one says that this file is no older than the first.
    changed = [line for line in reversed(lines) if line.startswith(("in_renewal", "in_come_back"))]
    later.write_text("\n".join([header, *changed]) + "\n", encoding="utf-8")
    import_stripe(connection, later)
    assert traced(connection, holds_stripes, first, later) == 30
    origins = connection.execute("select distinct file from kpi.charge order by file").fetchall()
    assert origins == [("february.csv",), ("january.csv",)]


def test_lines_and_their_corrections(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "id,customer,subscription,start,end,amount\n"
        "a,acme,s,2024-01-01,2024-02-01,10\n"
        "b,acme,s,2024-02-01,2024-03-01,ten\n"
        'c,"mu\nltd",t,2024-01-01,2025-01-01,120\n'
        "d,acme,u,2024-01-01,2024-02-01,7.5\n",
        encoding="utf-8",
    )
    place = Place("lines", "lines")
    import_lines(connection, file_at(path, place), spelling=Spelling(currency="EUR"))
    fix = tmp_path / "fix.csv"
    fix.write_text("id,customer,subscription,start,end,amount\nb,acme,s,2024-02-01,2024-03-01,11\n", encoding="utf-8")
    import_lines(connection, file_at(fix, place), corrections=True, spelling=Spelling(currency="EUR"))
    assert traced(connection, holds_amount, path, fix) == 4
    query = "select invoice_id, file, line_number, batch_id from kpi.charge order by invoice_id"
    assert connection.execute(query).fetchall() == [
        ("a", "lines.csv", 2, 1),
        ("b", "fix.csv", 2, 2),
        ("c", "lines.csv", 4, 1),
        ("d", "lines.csv", 6, 1),
    ]


def test_periods(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "periods.csv"
    path.write_text(
        "id,customer,start,end,amount\np1,acme,2024-01-01,,49\np2,mu,2024-02-01,2024-05-01,10\n", encoding="utf-8"
    )
    source = file_at(path, Place("periods", "periods"))
    import_periods(connection, source, spelling=Spelling(currency="EUR"), as_of=date(2024, 6, 30))
    assert traced(connection, holds_amount, path) == 2


def test_a_query(connection: psycopg.Connection, database: str) -> None:
    """The rows of a query are counted from 1."""
    query = """
        select 'q' || n as id, 'acme' as customer, 's' as subscription, n::text as amount,
            '2024-01-01'::date + interval '1 month' * (n - 1) as start,
            '2024-01-01'::date + interval '1 month' * n as "end"
        from generate_series(1, 5) n
        order by n desc
    """
    import_lines(connection, Query(query, database, Place("lines", "lines")), spelling=Spelling(currency="EUR"))
    found = "select file, line_number, invoice_id, net from kpi.charge order by line_number"
    assert connection.execute(found).fetchall() == [
        ("the query", row, f"q{6 - row}", Decimal(6 - row)) for row in range(1, 6)
    ]
    explained(connection)
