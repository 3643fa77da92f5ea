"""Benchmarks: scenes x methods x seeds -> one table and one page."""

from unmixel.benchmark.page import write_page
from unmixel.benchmark.running import run_suite
from unmixel.benchmark.suite import Suite, list_suites, read_suite
from unmixel.benchmark.table import read_table

__all__ = ["Suite", "list_suites", "read_suite", "read_table", "run_suite", "write_page"]
