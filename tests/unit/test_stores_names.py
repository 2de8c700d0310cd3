"""Stores are reached by name and imported when they are first used."""

import subprocess
import sys

import pytest

import dubhooks


@pytest.mark.parametrize("name", ["memory", "redis", "sqlalchemy", "sqlite"])
def test_a_store_is_reached_by_name(name: str) -> None:
    """``dubhooks.stores.redis`` needs no import of its own."""
    program = f"import dubhooks; print(dubhooks.stores.{name}.__name__)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"dubhooks.stores.{name}\n"
    assert getattr(dubhooks.stores, name).__name__ == f"dubhooks.stores.{name}"
    assert name in dir(dubhooks.stores)


def test_an_unknown_store_is_no_attribute() -> None:
    """A misspelt name says so."""
    with pytest.raises(AttributeError, match="no attribute 'mongo'"):
        _ = dubhooks.stores.mongo
