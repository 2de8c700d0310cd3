"""Settings that every test runs under."""

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Asserts in these say what they compared, as those in test modules do.
pytest.register_assert_rewrite("tests.support")

# Coverage is of the processes that run tests, not of the programs that these start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

IN_CI = os.environ.get("CI") == "true"

# A shell that runs CI in the background has all it starts ignore Ctrl-C, which tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "dubhooks",
    deadline=None,  # a machine that is busy is not a defect
    max_examples=100,
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dubhooks")


def _fail_if_skipped(report: Any) -> None:
    # A server that is missing on a developer's machine may skip; in CI nothing may.
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Turn a skipped test into a failure in CI."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Turn a skipped module into a failure in CI."""
    report = yield
    _fail_if_skipped(report)
    return report
