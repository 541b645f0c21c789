"""What every test run needs, that of the notebooks too: a learner's own state is never touched by a test."""

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Give the run, and every kernel that it starts, a FOURROUNDS_HOME of its own."""
    home = tempfile.TemporaryDirectory(prefix="fourrounds-tests-")
    config.add_cleanup(home.cleanup)
    os.environ["FOURROUNDS_HOME"] = home.name
