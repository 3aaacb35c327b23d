"""One lazy registry for everything that has a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.registry import Registry

OWNER = "screentest_registry_test_owner"


@pytest.fixture
def registry() -> Registry[int]:
    return Registry("number", int)


@pytest.fixture
def lazy(registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[int]]:
    """A registry whose 'seven' is added by a module of its own."""
    (tmp_path / f"{OWNER}.py").write_text(
        "import screentest_registry_test_target as t; t.registry.add('seven', 7)"
    )
    target = type(sys)("screentest_registry_test_target")
    target.registry = registry
    monkeypatch.setitem(sys.modules, target.__name__, target)
    monkeypatch.syspath_prepend(tmp_path)
    registry.declare("seven", OWNER)
    yield registry
    sys.modules.pop(OWNER, None)


def test_entries_are_found_and_listed_in_order(registry):
    registry.add("two", 2)
    registry.add("one", 1)
    assert registry.get("two") == 2
    assert list(registry) == ["one", "two"]
    assert "one" in registry
    assert "three" not in registry
    assert registry.module_of("one") is None


def test_a_declared_name_is_imported_when_it_is_asked_for(lazy):
    assert list(lazy) == ["seven"]
    assert "seven" in lazy
    assert lazy.module_of("seven") == OWNER
    assert OWNER not in sys.modules
    assert lazy.get("seven") == 7
    assert OWNER in sys.modules


def test_an_unknown_name_gets_the_nearest_ones(registry):
    registry.add("eleven", 11)
    with pytest.raises(UsageError, match=r"unknown number 'elevn'; did you mean 'eleven'\? Known: eleven"):
        registry.get("elevn")
    with pytest.raises(UsageError, match=r"unknown number 'q'\. Known: eleven"):
        registry.get("q")


def test_a_name_is_given_once(registry):
    registry.add("one", 1)
    with pytest.raises(UsageError, match="there is a number named 'one' already"):
        registry.add("one", 11)
    assert registry.get("one") == 1


def test_a_declared_name_cannot_be_taken_before_its_owner_is_imported(lazy):
    with pytest.raises(UsageError, match="there is a number named 'seven' already"):
        lazy.add("seven", 77)
    assert lazy.get("seven") == 7


def test_an_entry_of_another_type_is_refused(registry):
    with pytest.raises(UsageError, match="number 'one' is a str, not a int"):
        registry.add("one", "1")
    assert "one" not in registry


def test_a_module_that_does_not_add_what_it_was_declared_for_is_an_error(registry):
    registry.declare("pi", "math")
    with pytest.raises(UsageError, match="unknown number 'pi'"):
        registry.get("pi")


@pytest.mark.parametrize("which", ["MEASURES", "ENCODERS"])
def test_every_built_in_name_is_added_by_the_module_that_is_declared(which):
    import screentest.metrics

    registry = getattr(screentest.metrics, which)
    builtin = [name for name in registry if registry.module_of(name)]
    assert builtin
    for name in builtin:
        assert registry.get(name)
