"""Which files belong to the source of a plug-in."""

from __future__ import annotations

from pathlib import Path

import pytest
from screentest.harness.core.keys import file_sha256
from screentest.harness.core.plugin_sources import source_digests

FILES = {
    "mine.py": "import numpy as np\nfrom helper import draw\ndef make():\n    import lazy.deep\n",
    "helper.py": "import mine, json\n",
    "lazy/__init__.py": "",
    "lazy/deep.py": "from . import near\nfrom .other import x\n",
    "lazy/near.py": "",
    "lazy/other.py": "x = 1\n",
    "lazy/unused.py": "",
    "unused.py": "",
    "json.txt": "",
}
USED = ["mine.py", "helper.py", "lazy/__init__.py", "lazy/deep.py", "lazy/near.py", "lazy/other.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n{text}")
    return tmp_path


def test_a_file_and_the_modules_beside_it_that_it_imports_at_any_depth(folder: Path) -> None:
    found = source_digests(folder / "mine.py")
    assert found[0] == file_sha256(folder / "mine.py")
    assert found[1:] == sorted(file_sha256(folder / name) for name in USED[1:])


@pytest.mark.parametrize("name", FILES)
def test_an_edit_shows_where_the_file_is_imported_and_nowhere_else(folder: Path, name: str) -> None:
    before = source_digests(folder / "mine.py")
    (folder / name).write_text((folder / name).read_text() + "# edited\n")
    assert (source_digests(folder / "mine.py") != before) == (name in USED)


def test_a_module_in_a_package_may_import_all_of_its_package(folder: Path) -> None:
    (folder / "lazy/deep.py").write_text("import lazy.unused\nfrom ..helper import draw\n")
    names = ["lazy/__init__.py", "lazy/unused.py", "helper.py", *USED[:1]]
    found = source_digests(folder / "lazy" / "deep.py")
    assert set(found[1:]) >= {file_sha256(folder / name) for name in names[:3]}


def test_a_file_alone_has_its_own_digest_and_one_that_does_not_parse_too(tmp_path: Path) -> None:
    for text in ("x = 1\n", "import torch, screentest\n", "x = (\n", "from .... import a\n"):
        (tmp_path / "a.py").write_text(text)
        assert source_digests(tmp_path / "a.py") == [file_sha256(tmp_path / "a.py")]
