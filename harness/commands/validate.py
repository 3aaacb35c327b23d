"""The command `validate`: thresholds of laws, and validity cards, from clips of known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.presentation import MISSING, Content, Table, estimate_cell, number
from .options import (
    AsJson,
    Cache,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    Plugins,
    load_plugins,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from ...metrics.laws.thresholds import ThresholdFile
    from ...metrics.validation.goal_card import GoalCard
    from ...metrics.validation.hallucination_card import HallucinationCard
    from ...metrics.validation.law_card import LawCard
    from ...metrics.validation.sign_card import SignCard
    from ...metrics.validation.skill_report import SkillsCard
    from ...metrics.validation.sound_card import SoundCard
    from ..core.config import Config

__all__ = ["validate"]


def validate(
    probes: Annotated[bool, typer.Option("--probes", help="Validate the measures of physical laws.")] = False,
    skills: Annotated[
        bool, typer.Option("--skills", help="Validate the measures of instruction following.")
    ] = False,
    hallucination: Annotated[
        bool, typer.Option("--hallucination", help="Validate the measures of hallucination.")
    ] = False,
    sound: Annotated[bool, typer.Option("--sound", help="Validate the measures of sound.")] = False,
    signs: Annotated[bool, typer.Option("--signs", help="Validate the signs of generated physics.")] = False,
    goals: Annotated[
        bool,
        typer.Option("--goals", help="Validate the measures of puzzles, on the world stage (extra stage)."),
    ] = False,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "-m",
            metavar="NAME,...",
            help="Validate these measures, separated by commas, or all.",
        ),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of real videos to corrupt, instead of the world's clips; with --probes --calibrate, "
            "of lawful clips with a manifest.jsonl (file, expect) to make thresholds from; with --signs, of "
            "lawful clips in which to count false alarms.",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=8, max=4096, help="Frames of each video of --real that are taken.")
    ] = 16,
    encoder: EncoderOption = None,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    plugin: Plugins = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Compute thresholds from lawful clips, instead of a card.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder of the card, as JSON and Markdown, or of thresholds.json; by default "
            "runs/measures or runs/probes."
        ),
    ] = None,
    source: Annotated[str, typer.Option(help="Tracker, as for the encoder 'tracks'.")] = "world",
    n: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100_000,
            help="Violations per law and severity, clips per skill, fault or measure (40), or per fault of a "
            "sign (12); scenes per family (120), of sound (24) or per puzzle and look (6).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes.")] = 0,
    thresholds: Annotated[
        Path | None, typer.Option(help="A thresholds.json to validate; by default the packaged one.")
    ] = None,
    world: Annotated[
        str, typer.Option(help="World of the clips: reference, or stage (extra stage).")
    ] = "reference",
    family: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="With --measures: only scenes of this family of the world; may be repeated."
        ),
    ] = None,
    alarms: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of lawful clips that may be above a threshold.")
    ] = 0.01,
    any_alarms: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.5, help="Likewise, above that of any law; by default the same."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate measures on clips of known truth, or calibrate thresholds of laws."""
    of_measures = measures is not None or (real is not None and not probes and not signs)
    if probes + skills + hallucination + sound + signs + goals + of_measures != 1:
        raise UsageError(
            "say what to validate: --measures NAMES (or all), --probes (measures of laws), --skills "
            "(measures of instructions), --hallucination, --sound, --signs or --goals; one at a time, and "
            "--real with --measures, --probes or --signs alone"
        )
    if of_measures:
        if calibrate or thresholds is not None or source != "world":
            raise UsageError(
                "--measures takes --real, --world, --family, --encoder, --out, --n, --frames, --seed and "
                "--cache"
            )
        if real is not None and (world != "reference" or family):
            raise UsageError("--real takes the clips of its folder; leave --world and --family out")
        load_plugins(plugin)
        from ...metrics.encoders.base import EncoderOptions
        from ...metrics.validation.measure_bench import ALL, ValidationOptions
        from ..core.storage import local_folder
        from .validate_measures import run_validation, sources

        named = ",".join(measures or [ALL]).split(",")
        asked = ValidationOptions(
            measures=tuple(dict.fromkeys(name.strip() for name in named)),
            real=real,
            n=n,
            frames=frames,
            seed=seed,
            world=world,
            families=tuple(family or ()),
            encoders=sources(encoder or []),
            options=EncoderOptions(device=device.value, dtype=dtype.value, cache=local_folder(cache)),
        )
        run_validation(Path("runs/measures") if out is None else out, asked, cache, as_json)
        return
    if encoder or family:
        raise UsageError(f"{'--encoder' if encoder else '--family'} is for --measures")
    out = Path("runs/signs" if signs else "runs/probes") if out is None else out
    if signs:
        if calibrate or thresholds is not None or source != "world":
            raise UsageError("--signs takes --world, --real, --out, --n and --seed")
        if real is not None and (n is not None or world != "reference"):
            raise UsageError("--real takes the clips of its folder; leave --n and --world out")
        _signs(out, real, (world, 12 if n is None else n, seed), as_json)
        return
    from ...generators.reference.model.reconstruction import Reconstruction

    if skills or hallucination or sound or goals:
        cards = {"skills": skills, "hallucination": hallucination, "sound": sound, "goals": goals}
        what = next(name for name, is_asked in cards.items() if is_asked)
        if calibrate or thresholds is not None or source != "world" or world != "reference":
            raise UsageError(
                f"--{what} takes --out, --n and --seed; its limits are not calibrated by a command"
            )
        if hallucination:
            _hallucination(out, 40 if n is None else n, seed, as_json)
            return
        if goals:
            _goals(out, 6 if n is None else n, seed, as_json)
            return
        if sound:
            _sound(out, 24 if n is None else n, seed, as_json)
            return
        from ...metrics.validation.bench import SKILLS_TEXT, validate_skills

        made = validate_skills(out, Reconstruction(), n=40 if n is None else n, seed=seed)
        if as_json:
            print_json(made.model_dump(mode="json"))
        else:
            print_table(skills_table(made))
            say(f"card: {out / SKILLS_TEXT}")
        return
    from ...metrics.validation import bench as validation

    if calibrate:
        if thresholds is not None:
            raise UsageError("--calibrate computes new thresholds; leave --thresholds out")
        if real is not None:
            if n is not None or world != "reference":
                raise UsageError("--real takes the clips of its folder; leave --n and --world out")
            if any_alarms is not None:
                raise UsageError("--real holds any law to the rate of --alarms; leave --any-alarms out")
            file = validation.calibrate_on_footage(out, real, source=source, alarms=alarms)
        else:
            scenes = 120 if n is None else n
            file = validation.calibrate(
                out,
                source=source,
                n=scenes,
                seed=seed,
                world=world,
                alarms=alarms,
                any_alarms=any_alarms,
            )
        if as_json:
            print_json(file.model_dump(mode="json"))
        else:
            print_table(thresholds_table(file))
        return
    if real is not None:
        raise UsageError("--real gives thresholds; add --calibrate")
    chosen = 40 if n is None else n
    card = validation.validate_laws(
        out, Reconstruction(), source=source, n=chosen, seed=seed, thresholds=thresholds, world=world
    )
    _print_card(card, card_table(card), out / validation.CARD_TEXT, as_json)


def _hallucination(out: Path, n: int, seed: int, as_json: bool) -> None:
    """Measure the card of hallucination, and print it."""
    from ...generators.reference.model.reconstruction import Reconstruction
    from ...metrics.validation.bench import HALLUCINATION_TEXT, validate_hallucination

    card = validate_hallucination(out, Reconstruction(), n=n, seed=seed)
    _print_card(card, hallucination_table(card), out / HALLUCINATION_TEXT, as_json)


def _print_card(card: Config, table: Table, path: Path, as_json: bool) -> None:
    """Print a card that was written to a path, as JSON or as its table."""
    if as_json:
        print_json(card.model_dump(mode="json"))
    else:
        print_table(table)
        say(f"card: {path}")


def _sound(out: Path, n: int, seed: int, as_json: bool) -> None:
    """Measure the card of sound, and print it."""
    from ...metrics.validation.bench import SOUND_TEXT, validate_sound

    card = validate_sound(out, n=n, seed=seed)
    _print_card(card, sound_table(card), out / SOUND_TEXT, as_json)


def _signs(out: Path, real: Path | None, of_world: tuple[str, int, int], as_json: bool) -> None:
    """Measure the card of the signs, and print it."""
    from ...metrics.validation.sign_bench import SIGNS_TEXT, validate_signs

    world, n, seed = of_world
    card = validate_signs(out, world=world, n=n, seed=seed, real=real)
    _print_card(card, signs_table(card), out / SIGNS_TEXT, as_json)


def signs_table(card: SignCard) -> Table:
    """Build the table of signs: planted faults found, and alarms on lawful clips."""
    rows: list[tuple[Content, ...]] = [
        (
            f"signs.{c.sign}",
            f"{c.fault} {c.severity:g}",
            str(c.n),
            estimate_cell(c.auc),
            estimate_cell(c.found),
        )
        for c in card.cells
    ]
    rows += [
        (
            a.sign if a.sign == "any" else f"signs.{a.sign}",
            f"lawful: {a.where}",
            str(a.n),
            MISSING,
            estimate_cell(a.rate),
        )
        for a in card.alarms
    ]
    return Table("signs", ("sign", "clips", "n", "AUC [interval]", "seen [interval]"), rows)


def _goals(out: Path, n: int, seed: int, as_json: bool) -> None:
    """Measure the card of puzzles, and print it."""
    from ...metrics.validation.bench import GOAL_TEXT, validate_goals

    card = validate_goals(out, n=n, seed=seed)
    _print_card(card, goals_table(card), out / GOAL_TEXT, as_json)


def thresholds_table(file: ThresholdFile) -> Table:
    """Build the table of thresholds: a row per tracker and law."""
    columns = ("source", "law", "threshold", "set by style", "clips", "above", "largest")
    rows = [
        (name, law, number(q.threshold), q.look, str(q.n), str(q.above), number(q.largest))
        for name, part in file.sources.items()
        for law, q in part.laws.items()
    ]
    missing = [
        f"{name}: {law} has none: {why}"
        for name, part in file.sources.items()
        for law, why in part.missing.items()
    ]
    return Table("thresholds of the laws", columns, rows, (*missing, f"digest: {file.digest}"))


def card_table(card: LawCard) -> Table:
    """Build the table of a card: how well violations of medium severity are detected, a row per law."""
    from ...metrics.validation.law_card import MEDIUM

    rows: list[tuple[Content, ...]] = []
    for cell in card.cells:
        if (cell.look, cell.variety, cell.severity) == ("plain", "native", MEDIUM):
            lawful = next(
                a for a in card.alarms if (a.law, a.look, a.variety) == (cell.law, "plain", "native")
            )
            rows.append((cell.law, str(cell.n), *map(estimate_cell, (cell.auc, cell.found, lawful.rate))))
    columns = ("law", "n", "AUC [interval]", "found [interval]", "false alarms [interval]")
    median = card.milliseconds["both"][0]
    notes = (
        f"{counted(card.clips, 'clip')}; a clip of 16 x 64 x 64 takes {median:.1f} ms of processor time",
    )
    return Table(f"laws at severity {MEDIUM:g}", columns, rows, notes)


def skills_table(card: SkillsCard) -> Table:
    """Build the table of skills: how often each says yes if the clip follows the prompt, and if not."""
    rows: list[tuple[Content, ...]] = []
    for skill in dict.fromkeys(row.skill for row in card.rows):
        found = [card.get(skill, asked, "plain") for asked in ("kept", "turned")]
        cells = [
            part
            for row in found
            for part in ((MISSING, MISSING) if row is None else (estimate_cell(row), str(row.n)))
        ]
        rows.append((skill, *cells))
    columns = ("skill", "yes if followed [interval]", "n", "yes if not [interval]", "n")
    return Table("skills", columns, rows)


def sound_table(card: SoundCard) -> Table:
    """Build the table of sound: how well each fault is seen by the measure that claims to see it."""
    rows: list[tuple[Content, ...]] = [
        (row.fault, f"{row.severity:g}", row.look, row.measure, estimate_cell(row), str(row.n))
        for row in card.rows
        if row.claims
    ]
    return Table("sound", ("fault", "severity", "look", "measure", "AUC [interval]", "n"), rows)


def goals_table(card: GoalCard) -> Table:
    """Build the table of puzzles: how often solved clips are called solved, and failures not."""
    rows: list[tuple[Content, ...]] = [
        (row.family, row.kind, row.fault, estimate_cell(row), str(row.n))
        for row in card.rows
        if row.look == "all"
    ]
    return Table("puzzles", ("puzzle", "of", "clips", "value [interval]", "n"), rows)


def hallucination_table(card: HallucinationCard) -> Table:
    """Build the table of hallucination: planted faults found, and alarms on clips without any."""
    rows: list[tuple[Content, ...]] = [
        (row.kind, row.fault, estimate_cell(row), str(row.n)) for row in card.rows if row.looks == "plain"
    ]
    return Table("hallucination", ("measure", "planted", "found [interval]", "n"), rows)
