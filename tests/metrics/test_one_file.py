"""Adding a measure touches one file: a plug-in that is named, or a new file in a room of the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import screentest.metrics

MEASURE = '''"""One measure in one file."""

from {package} import Sample, measure


@measure("{name}", version=1, better="neither", bounds=(0.0, None))
def words(sample: Sample) -> float:
    """Count the words of a prompt."""
    return float(len((sample.item.prompt or "").split()))
'''
LISTED = "from screentest.harness.commands.main import main; main()"


def names(*arguments: str, root: Path | None = None) -> set[str]:
    """List the measures that the command line knows, with the tree under ``root`` where one is given."""
    path = [] if root is None else [str(root)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", LISTED, "list", "measures", "--json", *arguments]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {row["name"] for row in json.loads(found.stdout)}


def test_a_measure_in_a_file_beside_the_project(tmp_path: Path) -> None:
    file = tmp_path / "words.py"
    file.write_text(MEASURE.format(package="screentest.metrics", name="test.words"))
    assert names("--plugin", str(file)) - names() == {"test.words"}


def test_a_measure_in_a_new_file_of_a_room(tmp_path: Path) -> None:
    tree = Path(screentest.metrics.__file__).parent.parent
    copy = tmp_path / "screentest"
    copy.mkdir()
    for folder in ("harness", "metrics", "generators", "safety", "reports"):
        left_out = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.npz", "*.onnx")
        shutil.copytree(tree / folder, copy / folder, ignore=left_out)
    before = names(root=tmp_path)
    new = copy / "metrics" / "quality" / "words.py"
    new.write_text(MEASURE.format(package="..base", name="quality.words"))
    assert names(root=tmp_path) - before == {"quality.words"}
    assert before == names()
