"""The command line of pgmrr: thin, and without a figure of its own."""

import typer

from pgmrr.cli import data, figures, forecast, server

app = typer.Typer(
    help="Revenue metrics from billing data, inside PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (data.app, figures.app, forecast.app, server.app):
    app.registered_commands += part.registered_commands
    app.registered_groups += part.registered_groups
