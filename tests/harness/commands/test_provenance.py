"""The commands `provenance`: sign, verify, certificates, and their sentences."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from screentest.harness.commands.main import run_cli
from screentest.harness.core.media import write_clip

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in a folder with a video; give its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4", np.zeros((4, 32, 32, 3), np.uint8), 8)

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli(["provenance", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


SIGN = ("sign", "a.mp4", "--cert", "ca/chain.pem", "--key", "ca/key.pem", "--out", "signed")


@pytest.fixture
def signed(cli: Cli) -> Cli:
    assert cli("certificate", "ca", "--organization", "Acme")[0] == 0
    assert cli(*SIGN) == (0, "1 signed for Acme: signed\n", "")
    return cli


def test_what_is_signed_verifies(signed: Cli) -> None:
    code, out, _ = signed(
        "verify", "signed/a.mp4", "--anchors", "ca/anchor.pem", "--issuer", "Acme", "--json"
    )
    (record,) = json.loads(out)
    assert code == 0
    assert (record["file"], record["error"], record["state"]) == ("signed/a.mp4", None, "trusted")
    assert record["marked"]


def test_what_is_not_trusted_has_exit_code_1(signed: Cli) -> None:
    code, out, _ = signed("verify", "signed/a.mp4", "a.mp4", "--anchors", "ca/anchor.pem")
    assert code == 1
    assert "trusted" in out
    assert "absent" in out
    code, out, _ = signed("verify", "signed/a.mp4")
    assert code == 1
    assert "valid, not trusted" in out
    assert "no trust anchors were given" in out
    code, out, _ = signed("verify", "signed/a.mp4", "--anchors", "ca/anchor.pem", "--issuer", "Other")
    assert code == 1
    assert "not trusted: its issuer is not one of --issuer" in " ".join(out.split())
    code, out, _ = signed(
        "verify", "signed/a.mp4", "--anchors", "ca/anchor.pem", "--issuer", "Other", "--json"
    )
    (record,) = json.loads(out)
    assert (code, record["state"], record["marked"]) == (1, "unlisted", False)
    assert record["reasons"] == ["the issuer 'Acme' is not on the list"]


def test_a_folder_stands_for_its_videos(signed: Cli, tmp_path: Path) -> None:
    (tmp_path / "signed" / "sub").mkdir()
    (tmp_path / "signed" / "a.mp4").rename(tmp_path / "signed" / "sub" / "a.mp4")
    (tmp_path / "signed" / "notes.txt").write_text("no video")
    code, out, _ = signed("verify", "signed", "signed/sub/a.mp4", "--anchors", "ca/anchor.pem", "--json")
    assert code == 0
    assert [one["file"] for one in json.loads(out)] == ["signed/sub/a.mp4"]
    (tmp_path / "signed" / "gone.mp4").symlink_to(tmp_path / "none.mp4")
    code, _, err = signed("verify", "signed", "--anchors", "ca/anchor.pem")
    assert (code, err) == (2, "error: signed/gone.mp4 is a link to a file that is not there\n")
    (tmp_path / "empty").mkdir()
    assert signed("verify", "empty") == (2, "", "error: there is no video in the folder empty\n")
    (tmp_path / "two").mkdir()
    write_clip(tmp_path / "two" / "b.mp4", np.zeros((4, 32, 32, 3), np.uint8), 8)
    assert signed("sign", "two", *SIGN[2:-1], "more") == (0, "1 signed for Acme: more\n", "")
    assert (tmp_path / "more" / "b.mp4").is_file()
    code, _, err = signed("sign", "signed", *SIGN[2:-1], "again")
    assert code == 2
    assert err == "error: signed/gone.mp4 is a link to a file that is not there, and nothing was signed\n"


def test_what_no_model_made_is_trusted_and_not_marked(signed: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from screentest.safety.provenance import signing

    captured = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    monkeypatch.setattr(signing, "TRAINED", captured)
    assert signed(*SIGN[:-1], "captured")[0] == 0
    code, out, _ = signed("verify", "captured/a.mp4", "--anchors", "ca/anchor.pem")
    assert code == 1
    assert "trusted, but not marked as made by a model" in " ".join(out.split())


def test_what_cannot_be_read_has_exit_code_2(signed: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.png")
    code, out, err = signed("verify", "picture.png", "none.mp4", "signed/a.mp4", "--anchors", "ca/anchor.pem")
    assert code == 2
    assert "trusted" in out
    assert err.splitlines() == [
        "error: picture.png is a still image, not a video",
        "error: none.mp4 cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (SIGN, "error: signed/a.mp4 is there already, and nothing was signed; name a new folder with --out"),
        (
            ("sign", "a.mp4", "signed/a.mp4", *SIGN[2:-1], "new"),
            "error: two files are called a.mp4; sign them into different folders",
        ),
        (
            ("verify", "a.mp4", "--anchors", "ca/key.pem"),
            "error: ca/key.pem holds a private key; the trust anchors should be a file of certificates alone",
        ),
        (
            ("verify", "a.mp4", "--issuer", "Acme"),
            "error: --issuer chooses among those that trust anchors vouch for; name the anchors with "
            "--anchors",
        ),
        (
            ("certificate", "ca"),
            "error: ca/anchor.pem is there already; name a new folder for the certificates",
        ),
    ],
)
def test_mistakes_get_one_sentence(signed: Cli, words: tuple[str, ...], sentence: str) -> None:
    assert signed(*words) == (2, "", f"{sentence}\n")


def test_a_missing_extra_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    code, _, err = cli("verify", "a.mp4")
    assert code == 2
    assert err.strip().endswith("pip install 'screentest[c2pa]' installs it")
