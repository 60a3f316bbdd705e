"""pgmrr: revenue metrics from billing data, inside PostgreSQL."""

__version__ = "0.1.0"
