"""The commands `provenance`: sign videos, verify them against trust anchors, make certificates for trials.

A folder stands for all videos in it and its subfolders.

``verify --json`` prints one object per file: ``file``, ``error`` (why it could not be read, or null), and,
where it could, the fields of `safety.provenance.verify.Finding`. Exit code 0: all files are trusted, and
marked as made by a model; 1: one is not; 2: one could not be read.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MediaError, UsageError
from ..core.files import list_videos
from ..core.presentation import MISSING, Table
from .options import AsJson, print_json, print_table, say, warn

if TYPE_CHECKING:
    from ...safety.provenance.verify import Finding

__all__ = ["provenance"]

provenance = typer.Typer(
    name="provenance",
    help="C2PA manifests of videos: sign, verify against trust anchors, certificates for trials.",
    no_args_is_help=True,
)
NOT_TRUSTED = 1
"""Exit code if a file is not trusted as made by a model."""
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Videos, or folders of them.")]


@provenance.command()
def sign(
    files: Files,
    cert: Annotated[Path, typer.Option(help="PEM file: the signer's certificate, then those above it.")],
    key: Annotated[Path, typer.Option(help="PEM file of the private key, without a password.")],
    out: Annotated[Path, typer.Option(help="Folder for the signed copies, which keep their names.")],
    as_json: AsJson = False,
) -> None:
    """Sign copies of videos as made by a trained model; the originals stay as they are."""
    from ...safety.provenance.certificates import read_credentials
    from ...safety.provenance.signing import sign_clip

    credentials = read_credentials(cert, key)
    listed = list_videos(files)
    unreadable = next((problem for problem in listed.values() if problem is not None), None)
    if unreadable is not None:
        raise UsageError(f"{unreadable}, and nothing was signed")
    names = [file.name for file in listed]
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise UsageError(f"two files are called {twice}; sign them into different folders")
    there = next((out / name for name in names if (out / name).exists()), None)
    if there is not None:
        raise UsageError(f"{there} is there already, and nothing was signed; name a new folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    for file in listed:
        sign_clip(file, out / file.name, credentials, title=file.stem)
    if as_json:
        print_json({"issuer": credentials.organization, "files": [str(out / name) for name in names]})
    else:
        say(f"{len(listed)} signed for {credentials.organization}: {out}")


@provenance.command()
def verify(
    files: Files,
    anchors: Annotated[
        Path | None, typer.Option(help="PEM file of certificates to trust; without it none is trusted.")
    ] = None,
    issuer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Organization whose marks count; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the manifests of videos.

    Exit code 0: all are trusted, and marked as made by a model; 1: one is not; 2: one cannot be read.
    """
    from ...safety.provenance.certificates import read_anchors
    from ...safety.provenance.verify import verify_clip

    if issuer and anchors is None:
        raise UsageError(
            "--issuer chooses among those that trust anchors vouch for; name the anchors with --anchors"
        )
    trusted = None if anchors is None else read_anchors(anchors)
    found: list[tuple[Path, Finding | None, str | None]] = []
    for file, unreadable in list_videos(files).items():
        if unreadable is not None:
            found.append((file, None, unreadable))
            continue
        try:
            found.append((file, verify_clip(file, trusted, issuer or ()), None))
        except MediaError as error:
            found.append((file, None, str(error)))
    if as_json:
        print_json([_record(*one) for one in found])
    else:
        print_table(_table(found, anchors))
    problems = [problem for _, _, problem in found if problem is not None]
    for problem in problems:
        warn(f"error: {problem}")
    if problems:
        raise typer.Exit(2)
    if not all(finding is not None and finding.marked for _, finding, _ in found):
        raise typer.Exit(NOT_TRUSTED)


@provenance.command()
def certificate(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for anchor.pem, chain.pem and key.pem.")],
    organization: Annotated[str, typer.Option(help="For whom it is issued.")] = "screentest test",
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="How long it is valid.")] = 30.0,
) -> None:
    """Make an authority and a certificate for trials: sign with chain.pem and key.pem, trust anchor.pem."""
    from ...safety.provenance.certificates import make_test_chain

    make_test_chain(organization, days).write(out)
    say(f"certificates for trials, which nobody else trusts: {out}")


_STATES = {
    "valid": "valid, not trusted",
    "unlisted": "not trusted: its issuer is not one of --issuer",
}


def _record(file: Path, finding: Finding | None, problem: str | None) -> dict[str, Any]:
    return {"file": str(file), "error": problem, **({} if finding is None else asdict(finding))}


def _table(found: list[tuple[Path, Finding | None, str | None]], anchors: Path | None) -> Table:
    rows: list[tuple[str, ...]] = []
    unbound = 0
    for file, finding, problem in found:
        if finding is None:
            rows.append((str(file), "unreadable", MISSING, MISSING, problem or ""))
            continue
        state = _STATES.get(finding.state, finding.state)
        if finding.state == "trusted" and not finding.marked:
            state = "trusted, but not marked as made by a model"
        kinds = ", ".join(finding.source_types) or MISSING
        rows.append((str(file), state, finding.issuer or MISSING, kinds, "; ".join(finding.reasons)))
        unbound += bool(finding.unsigned and not finding.unsigned_bound)
    notes = [
        "trusted: nothing was changed, the anchors vouch for the signer, and the issuer is one of --issuer, "
        "where any is given"
    ]
    if anchors is None:
        notes.append("no trust anchors were given, so nobody is trusted; name them with --anchors")
    if unbound:
        notes.append(
            f"{unbound} of the files have boxes that no signature covers (ftyp, free, skip, mfra), as the "
            "C2PA standard allows; --json has their sizes"
        )
    return Table("provenance", ("file", "manifest", "issuer", "source type", "why"), rows, tuple(notes))
