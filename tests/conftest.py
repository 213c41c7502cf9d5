"""For every test: where CITYWARDEN_EVERYTHING is set, a skipped test is a failed run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from tests.databases import BOTH, empty_database
from tests.influx import Influxd, influxd
from tests.postgres import Postgres, postgres

# How long an example takes is the machine's affair, and its neighbours'.
settings.register_profile("citywarden", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("citywarden")

_skipped: list[str] = []


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """A PostgreSQL of the test run's own."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """An influxd of the test run's own, which runs no tasks; a test makes itself a bucket."""
    with influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind there is."""
    with empty_database(request, tmp_path) as made:
        yield made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CITYWARDEN_EVERYTHING") and _skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CITYWARDEN_EVERYTHING") and _skipped:
        terminalreporter.write_line(f"Nothing may be skipped here, but {len(_skipped)} were: {_skipped}", red=True)
