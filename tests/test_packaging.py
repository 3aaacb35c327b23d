"""What is installed: all of the package, nothing beside it, and a command that starts fast."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("generators", "harness", "metrics", "reports", "safety")
MODULE = "harness/screentest"
"""The folder that is installed as the module `screentest` itself."""
HEAVY = (
    "accelerate", "altair", "av", "cv2", "diffusers", "matplotlib", "mlflow", "nudenet",
    "onnxruntime", "pandas", "pyarrow", "pymunk", "ray", "safetensors", "scipy", "sklearn",
    "tokenizers", "torch", "torchmetrics", "transformers",
)  # fmt: skip
SUBCOMMANDS = [["list", kind] for kind in ("suites", "policies", "generators", "encoders")]


def setuptools_table() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def folders() -> Iterator[Path]:
    """Walk the five folders: each folder in them that holds a Python file is a package."""
    for top in FOLDERS:
        for path in (ROOT / top, *(p for p in sorted((ROOT / top).rglob("*")) if p.is_dir())):
            if path.name != "__pycache__" and any(path.glob("*.py")):
                yield path


def data_files() -> set[str]:
    """Name what git would take of the five folders and is no Python file."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *FOLDERS]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    there = {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}
    return {name for name in there if not name.endswith((".py", ".md"))}


def package_of(folder: Path) -> str:
    """Name the package that a folder is installed as."""
    inner = folder.relative_to(ROOT).as_posix()
    return "screentest" if inner == MODULE else f"screentest.{inner.replace('/', '.')}"


def installed_as(name: str) -> str:
    """Name the file of the wheel that a file of the tree becomes."""
    return f"screentest/{name.removeprefix(f'{MODULE}/')}"


def test_the_list_of_packages_is_the_folders_that_there_are():
    assert sorted(setuptools_table()["packages"]) == sorted(map(package_of, folders()))


def test_every_package_has_an_init_and_a_folder():
    assert all((path / "__init__.py").is_file() for path in folders())
    places = setuptools_table()["package-dir"]
    assert places == {"screentest": MODULE, **{f"screentest.{top}": top for top in FOLDERS}}


def test_every_data_file_is_packaged_and_every_pattern_finds_something():
    covered: set[str] = set()
    idle: list[str] = []
    for package, patterns in setuptools_table()["package-data"].items():
        folder = ROOT / MODULE if package == "screentest" else ROOT.joinpath(*package.split(".")[1:])
        for pattern in patterns:
            files = {p.relative_to(ROOT).as_posix() for p in folder.glob(pattern) if p.is_file()}
            covered |= files
            if not files:
                idle.append(f"{package}: {pattern}")
    assert data_files() - covered == set()
    assert idle == []


# -- what the command imports


def imported(*words: str) -> set[str]:
    """Run a command in a process of its own and name the top-level modules that it imported."""
    code = (
        "import sys; from screentest.harness.commands.main import run_cli; code = run_cli(sys.argv[1:]);"
        "sys.stderr.write('\\n' + ' '.join(m for m in sys.modules if '.' not in m)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], *SUBCOMMANDS], ids=" ".join)
def test_help_and_lists_import_nothing_heavy(words):
    modules = imported(*words)
    assert "typer" in modules
    assert modules & set(HEAVY) == set()


def test_the_packages_import_nothing_heavy():
    code = (
        "import sys, screentest, screentest.harness, screentest.metrics, screentest.generators, "
        "screentest.safety, screentest.reports; print(*(m for m in sys.modules if '.' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(HEAVY) == set()


# -- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of what git would take, so that the tree stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    done = subprocess.run([*build, str(folder / "source")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = (folder / "dist").iterdir()
    return built


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"screentest"}
    assert len(tops) == 2
    modules = {p.relative_to(ROOT).as_posix() for folder in folders() for p in folder.glob("*.py")}
    packaged = {n for n in names if n.startswith("screentest/") and not n.endswith(".md")}
    assert packaged == set(map(installed_as, modules | data_files()))
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, which sees this one's libraries only.

    A path in a ``.pth`` file is searched after the environment's own packages, and the ``.pth`` files in it
    (such as that of an editable screentest) are not read.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "venv", with_pip=False)
    paths = {"base": str(home / "venv"), "platbase": str(home / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["-m", "pip", "--python", str(home / "venv/bin/python"), "install", "--quiet", "--no-deps"]
    subprocess.run(
        [sys.executable, *install, "--no-index", "--ignore-installed", str(wheel)], check=True, timeout=300
    )
    return home


@pytest.mark.parametrize(
    "words", [["--help"], *SUBCOMMANDS, ["list", "measures"], ["schema", "suite"], ["doctor"]], ids=" ".join
)
def test_the_installed_command_works_elsewhere(installed, tmp_path, words):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = installed / "venv" / "bin" / "screentest"
    options = {"cwd": tmp_path, "env": clean, "capture_output": True, "text": True, "timeout": 300}
    as_json = ["--json"] if words[0] in ("list", "doctor") else []
    done = subprocess.run([command, *words, *as_json], check=True, **options)
    if as_json:
        assert json.loads(done.stdout)
    else:
        assert done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []

    where = (
        "import screentest.harness, screentest.safety as s; print(screentest.harness.__file__, s.__file__)"
    )
    python = installed / "venv" / "bin" / "python"
    done = subprocess.run([python, "-c", where], check=True, **options)
    assert all(path.startswith(str(installed / "venv")) for path in done.stdout.split())


def test_the_installed_module_has_every_public_name(installed, tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    code = (
        "import importlib.metadata, pathlib, screentest as st; "
        "assert st.__version__ == importlib.metadata.version('screentest'); "
        "assert pathlib.Path(st.__file__).with_name('py.typed').is_file(); "
        "print(st.__file__, *sorted(n for n in st.__all__ if getattr(st, n) is not None))"
    )
    words = [installed / "venv" / "bin" / "python", "-c", code]
    done = subprocess.run(words, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
    where, *names = done.stdout.split()
    assert where.startswith(str(installed / "venv"))
    assert {"compare", "gate", "open_run", "run", "score", "Suite", "Policy"} <= set(names)
