"""One lazy registry for everything that has a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.registry import Registry, Rooms

ROOM = "screentest_registry_test_room"


@pytest.fixture
def registry() -> Registry[int]:
    return Registry("number", int)


@pytest.fixture
def lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[int]]:
    """A registry whose 'seven' is added by a module of a room of its own."""
    room = tmp_path / ROOM
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "sevens.py").write_text("import screentest_registry_test_target as t; t.registry.add('seven', 7)")
    rooms = Rooms()
    rooms.add(ROOM)
    target = type(sys)("screentest_registry_test_target")
    target.registry = Registry("number", int, rooms)
    monkeypatch.setitem(sys.modules, target.__name__, target)
    monkeypatch.syspath_prepend(tmp_path)
    yield target.registry
    sys.modules.pop(ROOM, None)
    sys.modules.pop(f"{ROOM}.sevens", None)


def test_entries_are_found_and_listed_in_order(registry):
    registry.add("two", 2)
    registry.add("one", 1)
    assert registry.get("two") == 2
    assert list(registry) == ["one", "two"]
    assert "one" in registry
    assert "three" not in registry


def test_a_room_is_imported_when_a_name_is_asked_for(lazy):
    assert ROOM not in sys.modules
    assert lazy.get("seven") == 7
    assert ROOM in sys.modules


def test_a_room_is_imported_when_names_are_listed(lazy):
    assert list(lazy) == ["seven"]
    assert "seven" in lazy


def test_a_new_file_in_a_room_is_all_that_a_new_entry_takes(lazy, tmp_path):
    (tmp_path / ROOM / "eights.py").write_text(
        "import screentest_registry_test_target as t; t.registry.add('eight', 8)"
    )
    assert list(lazy) == ["eight", "seven"]


def test_an_unknown_name_gets_the_nearest_ones(registry):
    registry.add("eleven", 11)
    with pytest.raises(UsageError, match=r"unknown number 'elevn'; did you mean 'eleven'\? Known: eleven"):
        registry.get("elevn")
    with pytest.raises(UsageError, match=r"unknown number 'q'\. Known: eleven"):
        registry.get("q")


def test_of_many_names_only_the_nearest_are_told(registry):
    for k in range(30):
        registry.add(f"motion.number{k}", k)
    registry.add("fidelity.fvd", 31)
    with pytest.raises(UsageError) as near:
        registry.get("fidelity.fdv")
    assert str(near.value).endswith(
        "; did you mean 'fidelity.fvd'? There are 31; 'screentest list' shows them"
    )
    with pytest.raises(UsageError, match=r"Those of its family: fidelity\.fvd\. There are 31"):
        registry.get("fidelity.completely_else")


def test_a_name_is_given_once(registry):
    registry.add("one", 1)
    with pytest.raises(UsageError, match="there is a number named 'one' already"):
        registry.add("one", 11)
    assert registry.get("one") == 1


def test_a_name_of_a_room_cannot_be_taken_once_the_rooms_are_loaded(lazy):
    lazy.load()
    with pytest.raises(UsageError, match="there is a number named 'seven' already"):
        lazy.add("seven", 77)
    assert lazy.get("seven") == 7


def test_an_entry_of_another_type_is_refused(registry):
    with pytest.raises(UsageError, match="number 'one' is a str, not a int"):
        registry.add("one", "1")
    assert "one" not in registry


def test_measures_and_encoders_of_all_rooms_are_in_the_catalogue():
    from screentest.harness.catalog import ENCODERS, MEASURES

    assert {"motion.flicker", "fidelity.fvd", "physics.any", "follows.all", "safety.nudity"} <= set(MEASURES)
    assert {"pixels", "clip", "tracks", "hazard", "vlm"} <= set(ENCODERS)
