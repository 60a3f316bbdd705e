"""pgmrr: revenue metrics from billing data, inside PostgreSQL."""

__version__ = "0.2.0.dev0"
