"""What the doctor sees, and that nothing that is broken keeps it from saying so."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections import namedtuple

from screentest.harness.catalog import ENCODERS, encoder_roles
from screentest.harness.commands.doctor import examine
from screentest.harness.core.errors import MissingWeightsError

Usage = namedtuple("Usage", "total used free")


def rows() -> dict[str, tuple[str, str]]:
    return {what: (state, about) for what, state, about in examine().rows}


def test_everything_is_looked_at():
    seen = rows()
    assert seen["python"] == ("ok", sys.version.split()[0])
    assert seen["torch"] == ("ok", importlib.metadata.version("torch"))
    assert {f"encoder {name}" for name in ENCODERS} <= set(seen)
    assert seen["encoder pixels"][0] == "ok"
    assert {"device", "disk", "generator reference:early", "generator reference:base"} <= set(seen)
    assert all(state in ("ok", "missing") and about for state, about in seen.values())


def test_a_library_that_is_not_installed_is_named_with_what_to_do(monkeypatch):
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pymunk":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    table = examine()
    assert ("pymunk", "missing", "pip install pymunk") in table.rows
    missing = sum(state != "ok" for _, state, _ in table.rows)
    assert table.notes == (f"{missing} missing",)


def test_weights_that_are_missing_are_said_in_their_own_words(monkeypatch):
    def missing(name: str, source: str | None) -> None:
        raise MissingWeightsError(f"no weights of {name}; point at them")

    monkeypatch.setattr("screentest.harness.catalog.make_encoder", missing)
    assert rows()["encoder clip"] == ("missing", "no weights of clip; point at them")


def test_what_is_broken_is_a_row_and_no_traceback(monkeypatch):
    def broken(name: str, *more: object) -> None:
        raise OSError("libcudart.so.12:\n cannot open shared object file")

    monkeypatch.setattr("screentest.harness.catalog.make_encoder", broken)
    monkeypatch.setattr("screentest.generators.make_generator", broken)
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    seen = rows()
    assert seen["encoder flow"] == ("missing", "OSError: libcudart.so.12: cannot open shared object file")
    assert seen["generator reference:base"][0] == "missing"
    assert seen["device"][0] == "missing"
    assert seen["device"][1].startswith("torch cannot be imported: ModuleNotFoundError")


def test_a_full_disk_is_not_ok(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 2**40 - 2**29, 2**29))
    assert rows()["disk"] == ("missing", "0.5 GiB free where runs/ and cache/ go")


def test_roles_are_looked_at_with_the_weights_that_ship():
    seen = rows()
    for role in encoder_roles():
        state, about = seen[f"encoder {role}"]
        if ENCODERS.get(role).shipped:
            assert state == "missing" or about.startswith("reference, digest ")
        else:
            assert (state, about.split(",")[0]) == ("ok", "no weights ship with it")
