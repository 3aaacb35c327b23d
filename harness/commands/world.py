"""The commands `world`: list the reference world, and render clips of it with their ground truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.presentation import MISSING, Table
from ..core.specs import parse_pairs
from .options import AsJson, print_json, print_table, say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.items import ClipSettings

__all__ = ["clip_size", "fixed", "world", "world_tables"]

WorldName = Annotated[str, typer.Option("--world", help="Name of the world.")]

world = typer.Typer(
    name="world",
    help="The reference world: scenes with real mechanics, their truth, and laws they can break.",
    no_args_is_help=True,
)
_SIZE = "64x64x16"


@world.command()
def render(
    out: Annotated[Path, typer.Option(help="A new folder for the clips.")],
    family: Annotated[
        str | None, typer.Option(help="Family of scenes; see 'world list'. By default any single shape.")
    ] = None,
    violate: Annotated[str | None, typer.Option(metavar="LAW", help="Break this law in every scene.")] = None,
    severity: Annotated[
        float | None, typer.Option(help="How strongly the law is broken, above 0 and up to 1; by default 1.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of scenes.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed gives other scenes.")] = 0,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHTxFRAMES", help="Pixels, and frames.")] = _SIZE,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 8.0,
    fix: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Fix a random choice, such as color=red; may be repeated."),
    ] = None,
    name: WorldName = "reference",
    as_json: AsJson = False,
) -> None:
    """Render clips of the world with their ground truth; with --violate, also the lawful twin of each."""
    if severity is not None and violate is None:
        raise UsageError("--severity says how strongly a law is broken; name the law with --violate")
    from ...generators.worlds.render_files import RenderRequest, render_folder

    request = RenderRequest(
        world=name,
        family=family,
        asked=fixed(fix or []),
        law=violate,
        severity=1.0 if severity is None else severity,
        n=n,
        seed=seed,
        clip=clip_size(size, fps),
    )
    rows = render_folder(request, out)
    if as_json:
        print_json({"folder": str(out), "clips": rows})
    else:
        pairs = f"; pairs in {out / 'pairs.csv'}" if (out / "pairs.csv").exists() else ""
        say(f"{counted(len(rows), 'clip with its', 'clips with their')} truth: {out}{pairs}")
    invisible = sum(bool(row["violation"]) and row["violation"]["first_frame"] is None for row in rows)
    if invisible:
        warn(
            f"warning: {invisible} of {n} violations are too small to change a pixel and are in no pair; "
            "raise --severity"
        )


@world.command(name="list")
def list_world(name: WorldName = "reference", as_json: AsJson = False) -> None:
    """List the families, the choices that can be fixed, the laws they can break, and the clip sizes."""
    if as_json:
        print_json(_described(name))
        return
    for table in world_tables(name):
        print_table(table)


def clip_size(text: str, fps: float) -> ClipSettings:
    """Read ``WIDTHxHEIGHTxFRAMES``.

    Raises:
        UsageError: not three whole numbers, or not a valid size of a clip.
    """
    from pydantic import ValidationError

    from ..core.config import explain
    from ..core.items import ClipSettings

    found = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})[xX]([0-9]{1,9})", text.strip())
    if found is None:
        raise UsageError(f"--size {text!r} should be width, height and frames, such as {_SIZE}")
    width, height, frames = map(int, found.groups())
    try:
        return ClipSettings(frames=frames, height=height, width=width, fps=fps)
    except ValidationError as error:
        raise UsageError(f"--size {text} at {fps:g} fps: {explain(error, ClipSettings)}") from None


def fixed(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` options.

    Raises:
        UsageError: one is not of this form, or a name is given twice.
    """
    return parse_pairs(pairs, "--fix", "NAME=VALUE", "color=red")


def world_tables(name: str = "reference") -> list[Table]:
    """Build the tables of families, laws and clip sizes of the world."""
    found = _described(name)
    families = [
        (
            family["name"],
            ", ".join(family["laws"]) or MISSING,
            "; ".join(f"{name}: {_names(values)}" for name, values in family["fix"].items()) or MISSING,
        )
        for family in found["families"]
    ]
    laws = [(law["name"], law["about"], ", ".join(law["families"])) for law in found["laws"]]
    sizes = [(s["size"], f"{s['fps']:g}", ", ".join(s["no_room_for"]) or "none") for s in found["sizes"]]
    note = "other sizes can be asked for; a family says where a clip has no time or room for it"
    return [
        Table("families", ("family", "laws it can break", "can be fixed"), families),
        Table("laws", ("law", "what its violation does", "families"), laws),
        Table("sizes", ("width x height x frames", "fps", "no room for"), sizes, (note,)),
    ]


def _names(values: Sequence[str], few: int = 8) -> str:
    """List the first names, and how many more there are."""
    more = f" and {len(values) - few} more" if len(values) > few else ""
    return f"{', '.join(values[:few])}{more}"


def _described(name: str) -> dict[str, list[dict[str, Any]]]:
    from ...generators.worlds.registry import find_world

    found = find_world(name)
    return {
        "families": [
            {
                "name": family,
                "laws": list(found.breakable(family)),
                "fix": {what: list(values) for what, values in found.choices(family).items()},
            }
            for family in found.families
        ],
        "laws": [
            {
                "name": law,
                "about": about,
                "families": [f for f in found.families if law in found.breakable(f)],
            }
            for law, about in found.laws.items()
        ],
        "sizes": [
            {
                "size": f"{clip.width}x{clip.height}x{clip.frames}",
                "fps": clip.fps,
                "no_room_for": [f for f in found.families if not found.fits(f, clip)],
            }
            for clip in found.native_clips
        ],
    }
