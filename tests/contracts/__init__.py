"""What every kind of a room must do: one suite for each room, which the test of each kind subclasses."""

import pkgutil

import pytest

# Before they are imported, so that their asserts tell what they saw, as those of test files do.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
