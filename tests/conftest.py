"""What the tests of the explorer measured, shown with their result: no test asserts a time."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the latencies that tests recorded, in whichever process."""
    for report in terminalreporter.getreports("passed"):
        for name, said in report.user_properties:
            if name == "latency":
                terminalreporter.write_line(str(said))
