"""Files of a user that are run, and what they may import."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.source_files import run_file


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the modules and folders that Python knows as they are."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
    return folder / "mine.py"


def test_a_file_imports_what_lies_beside_it_also_later(tmp_path: Path) -> None:
    later = "def late():\n    from beside_two import TWO\n    return TWO\n"
    path = written(
        tmp_path,
        mine=f"from beside_one import ONE\n{later}",
        beside_one="ONE = 1",
        beside_two="TWO = 2",
    )
    module = run_file(path, "plugin")
    assert (module.ONE, module.late()) == (1, 2)
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize("imported", ["import beside_it", "def late():\n    from beside_it import VALUE"])
def test_another_module_of_the_name_is_refused(tmp_path: Path, imported: str) -> None:
    first = written(tmp_path / "one", mine="import beside_it", beside_it="VALUE = 1")
    second = written(tmp_path / "two", mine=imported, beside_it="VALUE = 2")
    run_file(first, "plugin")
    with pytest.raises(UsageError, match=r"imports 'beside_it', and Python has another .*two/beside_it\.py"):
        run_file(second, "plugin")


def test_a_module_of_python_s_own_is_not_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, mine="import json", json="VALUE = 1")
    with pytest.raises(UsageError, match=r"imports 'json', .*rename the file"):
        run_file(path, "generator")
    assert run_file(written(tmp_path / "alone", mine="import json"), "plugin").json.dumps([1]) == "[1]"
