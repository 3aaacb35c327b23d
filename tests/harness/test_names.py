"""The public names of the package: each is there, loaded when it is asked for, and hides no module."""

from __future__ import annotations

import importlib
import subprocess
import sys
from operator import attrgetter

import pytest
from screentest import harness


def test_every_public_name_is_the_object_of_its_module():
    assert harness.__all__ == sorted(harness.__all__)
    listed = {name for names in harness._MODULES.values() for name in names}
    assert set(harness.__all__) == listed
    for module, names in harness._MODULES.items():
        for name in names:
            assert getattr(harness, name).__module__.startswith("screentest.harness."), name
        assert importlib.import_module(f"screentest.harness.{module}") is attrgetter(module)(harness)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'run_suites'"):
        harness.run_suites  # noqa: B018


def test_the_import_is_cheap():
    heavy = "('torch', 'pandas', 'pydantic')"
    code = f"import sys, screentest.harness; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
