"""Certificates: what signs, what vouches, and one sentence for each thing that is wrong with them."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from screentest.harness.core.errors import UsageError
from screentest.safety.provenance.certificates import make_test_chain, read_anchors, read_credentials

PAST = datetime.now(UTC) - timedelta(days=60)


def written(folder: Path, **changes: object) -> Path:
    make_test_chain(**changes).write(folder)  # pyright: ignore[reportArgumentType]
    return folder


def test_a_chain_is_read_back(tmp_path: Path) -> None:
    folder = written(tmp_path / "ca", organization="Acme, Inc.")
    found = read_credentials(folder / "chain.pem", folder / "key.pem")
    assert found.organization == "Acme, Inc."
    assert read_anchors(folder / "anchor.pem").names == ("screentest test root",)
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600


def test_the_private_key_is_in_no_representation(tmp_path: Path) -> None:
    folder = written(tmp_path / "ca")
    found = read_credentials(folder / "chain.pem", folder / "key.pem")
    assert b"PRIVATE KEY" in found.key
    assert "PRIVATE" not in repr(found)
    assert "key" not in repr(make_test_chain())


def test_the_order_of_anchors_does_not_change_their_digest(tmp_path: Path) -> None:
    one, two = (written(tmp_path / name) / "anchor.pem" for name in ("a", "b"))
    (tmp_path / "ab.pem").write_bytes(one.read_bytes() + two.read_bytes())
    (tmp_path / "ba.pem").write_bytes(two.read_bytes() + one.read_bytes())
    digests = {read_anchors(tmp_path / f"{name}.pem").digest for name in ("ab", "ba")}
    assert len(digests) == 1
    assert read_anchors(one).digest not in digests


def test_expired_and_future_certificates_are_refused(tmp_path: Path) -> None:
    old = written(tmp_path / "old", start=PAST)
    with pytest.raises(UsageError, match=r"'screentest test signer' in .* expired on 20.*; have a new one"):
        read_credentials(old / "chain.pem", old / "key.pem")
    with pytest.raises(UsageError, match=r"the trust anchors in .* have expired, the last on"):
        read_anchors(old / "anchor.pem")
    new = written(tmp_path / "new", start=datetime.now(UTC) + timedelta(days=2))
    with pytest.raises(UsageError, match="is not valid before"):
        read_credentials(new / "chain.pem", new / "key.pem")


def test_the_wrong_key_is_refused(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a"), written(tmp_path / "b")
    with pytest.raises(UsageError, match="is not that of the first certificate"):
        read_credentials(one / "chain.pem", two / "key.pem")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (tmp_path / "rsa.pem").write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    with pytest.raises(UsageError, match="not of the elliptic curve P-256"):
        read_credentials(one / "chain.pem", tmp_path / "rsa.pem")
    locked = key.private_bytes(*form, serialization.BestAvailableEncryption(b"word"))
    (tmp_path / "locked.pem").write_bytes(locked)
    with pytest.raises(UsageError, match="protected by a password"):
        read_credentials(one / "chain.pem", tmp_path / "locked.pem")
    with pytest.raises(UsageError, match="is no private key in PEM"):
        read_credentials(one / "chain.pem", one / "chain.pem")


def test_malformed_files_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    torn = tmp_path / "torn.pem"
    torn.write_bytes((folder / "chain.pem").read_bytes().replace(b"M", b"N", 3))
    for path in (torn, tmp_path / "text.pem"):
        if not path.exists():
            path.write_text("these are words")
        with pytest.raises(UsageError, match=r"no file of certificates in PEM"):
            read_anchors(path)
        with pytest.raises(UsageError, match=r"no file of certificates in PEM"):
            read_credentials(path, folder / "key.pem")
    with pytest.raises(UsageError, match=r"there is no file .*none.pem, which should hold the trust anchors"):
        read_anchors(tmp_path / "none.pem")
    with pytest.raises(UsageError, match="cannot be read"):
        read_anchors(tmp_path)
    with pytest.raises(UsageError, match="holds a private key"):
        read_anchors(folder / "key.pem")
    large = tmp_path / "large.pem"
    large.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(UsageError, match="is larger than"):
        read_anchors(large)


def test_the_signers_certificate_comes_first(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    chain = (folder / "chain.pem").read_bytes()
    middle = chain.index(b"-----BEGIN", 10)
    (folder / "turned.pem").write_bytes(chain[middle:] + chain[:middle])
    with pytest.raises(UsageError, match="is that of an authority"):
        read_credentials(folder / "turned.pem", folder / "key.pem")
    other = written(tmp_path / "b")
    (folder / "mixed.pem").write_bytes(chain[:middle] + (other / "anchor.pem").read_bytes())
    with pytest.raises(UsageError, match="are no chain"):
        read_credentials(folder / "mixed.pem", folder / "key.pem")


def test_files_are_not_written_over(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    with pytest.raises(UsageError, match=r"anchor.pem is there already"):
        written(folder)


@pytest.mark.parametrize("name", ["", " ", "x" * 65])
def test_an_organization_has_a_name(name: str) -> None:
    with pytest.raises(UsageError, match="has 1 to 64 characters"):
        make_test_chain(name)
