"""The command line of pgmrr: thin, and without a figure of its own."""

import typer

from pgmrr.cli import (
    analysis,
    backups,
    customers,
    data,
    distribute,
    doctor,
    export,
    figures,
    forecast,
    history,
    quarantine,
    report,
    serve,
    server,
    sources,
)

app = typer.Typer(
    help="Revenue metrics from billing data, inside PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ASKS = (history, figures, customers, analysis, forecast, report, serve, export)
for part in (data, sources, quarantine, *ASKS, backups, doctor, distribute, server):
    app.registered_commands += part.app.registered_commands
    app.registered_groups += part.app.registered_groups
