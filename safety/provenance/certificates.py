"""Certificates: a signer's chain and key, the anchors of trust, and chains for tests.

A chain is a PEM file with the signer's certificate first and those above it after it. A private key is read
where it is used; it is in no record, message or representation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ...harness.core.errors import UsageError
from .library import c2pa_library

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, KeyUsage, Name

__all__ = [
    "EXTENDED_KEY_USAGES",
    "Anchors",
    "Credentials",
    "TestChain",
    "make_test_chain",
    "read_anchors",
    "read_credentials",
]

EXTENDED_KEY_USAGES = (
    "1.3.6.1.5.5.7.3.4",  # e-mail protection
    "1.3.6.1.5.5.7.3.36",  # document signing
    "1.3.6.1.4.1.62558.2.1",  # C2PA claim signing
)
"""Purposes for which a signer's certificate may be issued (C2PA 2.2, section 14.5.1.1)."""
_MAX_NAME = 64
"""Longest name of an organization (RFC 5280, appendix A.1)."""
_MAX_BYTES = 2**20
"""Largest file of certificates or of a key that is read."""


@dataclass(frozen=True)
class Credentials:
    """What a clip is signed with.

    Attributes:
        chain: PEM certificates, the signer's first.
        digest: sha256 of the chain's certificates.
        organization: for whom the signer's certificate was issued.
        key: the private key, PEM.
    """

    chain: bytes = field(repr=False)
    digest: str
    organization: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Anchors:
    """Certificates that are trusted, and whatever they issued.

    Attributes:
        pem: the certificates.
        digest: sha256 of the certificates, whatever their order in the file.
        names: their common names.
    """

    pem: str
    digest: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class TestChain:
    """A self-made certificate authority, and a signer's certificate and key under it, as PEM."""

    __test__ = False

    anchor: bytes
    chain: bytes
    key: bytes = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write ``anchor.pem``, ``chain.pem`` and ``key.pem``, the key for its owner alone.

        Raises:
            UsageError: one of them is there already, or the folder cannot be written.
        """
        files = {"anchor.pem": self.anchor, "chain.pem": self.chain, "key.pem": self.key}
        there = next((name for name in files if (folder / name).exists()), None)
        if there is not None:
            raise UsageError(f"{folder / there} is there already; name a new folder for the certificates")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                path = folder / name
                path.touch(mode=0o600 if name == "key.pem" else 0o644)
                path.write_bytes(content)
        except OSError as error:
            raise UsageError(f"the folder {folder} cannot be written: {error.strerror or error}") from None


def make_test_chain(
    organization: str = "screentest test", days: float = 30.0, start: datetime | None = None
) -> TestChain:
    """Make a chain for ES256 signatures: an authority, and a signer's certificate that it issued.

    Args:
        organization: of the signer.
        days: of validity.
        start: when it begins to be valid; by default an hour ago.

    Raises:
        UsageError: the extra ``c2pa`` is not installed, or the organization's name is empty or too long.
    """
    c2pa_library()
    if not organization.strip() or len(organization) > _MAX_NAME:
        raise UsageError(f"the name of an organization has 1 to {_MAX_NAME} characters in a certificate")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    begin = start or datetime.now(UTC) - timedelta(hours=1)
    end = (start or datetime.now(UTC)) + timedelta(days=days)
    above, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _name("screentest test authority", "screentest test root")
    above_id = x509.SubjectKeyIdentifier.from_public_key(above.public_key())

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=root,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=begin,
            not_valid_after=end,
        )

    anchor = (
        certificate(root, above)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(above_id, critical=False)
        .sign(above, hashes.SHA256())
    )
    leaf = (
        certificate(_name(organization, "screentest test signer"), own)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(EXTENDED_KEY_USAGES[0])]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above_id), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .sign(above, hashes.SHA256())
    )
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in (anchor, leaf)]
    key = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return TestChain(anchor=pem[0], chain=pem[1] + pem[0], key=key)


def _name(organization: str, common: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, authority: bool) -> KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def read_anchors(path: Path) -> Anchors:
    """Read a PEM file of trusted certificates.

    Raises:
        UsageError: there is none, it cannot be read, or all certificates in it have expired.
    """
    found = _certificates(path, "trust anchors")
    now = datetime.now(UTC)
    if all(one.not_valid_after_utc < now for one in found):
        last = max(one.not_valid_after_utc for one in found)
        raise UsageError(
            f"the trust anchors in {path} have expired, the last on {last:%Y-%m-%d}; name current ones"
        )
    return Anchors(
        pem="".join(_pem(one).decode() for one in found),
        digest=_digest(sorted(_der(one) for one in found)),
        names=tuple(_attribute(one, "common") for one in found),
    )


def read_credentials(chain: Path, key: Path) -> Credentials:
    """Read a signer's chain and private key for ES256, and check that they can sign now.

    Raises:
        UsageError: a file cannot be read or is no PEM, a certificate has expired or is not valid yet, the key
            is another one's, is protected by a password or is not of the curve P-256, or the first
            certificate is no signer's.
    """
    found = _certificates(chain, "certificate chain")
    signer = found[0]
    _check_times(found, chain)
    _check_signer(signer, chain)
    _check_chain(found, chain)
    return Credentials(
        chain=b"".join(_pem(one) for one in found),
        digest=_digest([_der(one) for one in found]),
        organization=_attribute(signer, "organization"),
        key=_key(key, signer, chain),
    )


def _check_times(found: list[Certificate], path: Path) -> None:
    now = datetime.now(UTC)
    for one in found:
        name = _attribute(one, "common")
        if one.not_valid_after_utc < now:
            raise UsageError(
                f"the certificate of {name!r} in {path} expired on {one.not_valid_after_utc:%Y-%m-%d}; "
                "have a new one issued"
            )
        if one.not_valid_before_utc > now:
            raise UsageError(
                f"the certificate of {name!r} in {path} is not valid before "
                f"{one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; check the clock of this machine"
            )


def _check_signer(signer: Certificate, path: Path) -> None:
    from cryptography import x509

    extensions = signer.extensions
    try:
        authority = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if authority or signer.issuer == signer.subject:
        raise UsageError(
            f"the first certificate in {path} is that of an authority, or signed by itself; the signer's own "
            "comes first, and those above it follow"
        )
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        purposes = ()
    if not any(purpose.dotted_string in EXTENDED_KEY_USAGES for purpose in purposes):
        raise UsageError(
            f"the first certificate in {path} is not issued for signing content; its extended key usage "
            "should be e-mail protection, document signing or C2PA claim signing"
        )


def _check_chain(found: list[Certificate], path: Path) -> None:
    from cryptography.exceptions import InvalidSignature

    for below, above in pairwise(found):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise UsageError(
                f"the certificates in {path} are no chain: {_attribute(below, 'common')!r} was not issued by "
                f"{_attribute(above, 'common')!r}, which follows it"
            ) from None


def _key(path: Path, signer: Certificate, chain: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = _read(path, "private key")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise UsageError(
            f"the private key {path} is protected by a password; write a copy without one"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path} is no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UsageError(
            f"the private key {path} is not of the elliptic curve P-256, which ES256 signs with; have a "
            "certificate issued for such a key"
        )
    public = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*public) != signer.public_key().public_bytes(*public):
        raise UsageError(f"the private key {path} is not that of the first certificate in {chain}")
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificates(path: Path, what: str) -> list[Certificate]:
    c2pa_library()
    from cryptography import x509

    content = _read(path, what)
    if b"PRIVATE KEY-----" in content:
        raise UsageError(f"{path} holds a private key; the {what} should be a file of certificates alone")
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        raise UsageError(f"{path} is no file of certificates in PEM, so it is no {what}") from None
    return found


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}, which should hold the {what}") from None
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error.strerror or error}") from None
    if len(content) > _MAX_BYTES:
        raise UsageError(f"the {what} {path} is larger than {_MAX_BYTES} bytes; that is no file in PEM")
    return content


def _pem(one: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return one.public_bytes(Encoding.PEM)


def _der(one: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return one.public_bytes(Encoding.DER)


def _digest(certificates: list[bytes]) -> str:
    total = hashlib.sha256()
    for one in certificates:
        total.update(hashlib.sha256(one).digest())
    return total.hexdigest()


def _attribute(one: Certificate, which: str) -> str:
    from cryptography.x509.oid import NameOID

    oid = NameOID.COMMON_NAME if which == "common" else NameOID.ORGANIZATION_NAME
    found = one.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
