"""Benchmarks: scenes x methods x seeds -> one table and one page."""
