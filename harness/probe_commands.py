"""The commands that probe clips outside of a run: against real takes, or in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .core.errors import UsageError
from .options import AsJson, Cache, Device, DeviceOption, Dtype, DtypeOption, print_json, print_table, say
from .tables import Table, number

if TYPE_CHECKING:
    from ..metrics.laws.thresholds import ThresholdFile
    from ..metrics.physics_iq.protocol import Estimate, PhysicsIQ, ShotScore
    from ..metrics.surprise.pairs import PairsResult, Share
    from ..metrics.validation.law_card import Card
    from ..metrics.validation.skill_report import SkillsCard

__all__ = ["extrapolate", "physics_iq", "surprise", "validate"]


class Reduce(StrEnum):
    """What a clip's windows are reduced to."""

    mean = "mean"
    max = "max"


Confidence = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the intervals.")]


def physics_iq(
    takes: Annotated[
        Path, typer.Option(help="Folder of real takes: SCENARIO_take-1.mp4, SCENARIO_take-2.mp4.")
    ],
    generated: Annotated[Path, typer.Option(help="Folder of generated clips: SCENARIO.mp4.")],
    manifest: Annotated[
        Path | None, typer.Option(help="CSV: scenario, view, take1, take2, generated; else file names.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Compared from the beginning of each clip.")
    ] = 5.0,
    scale: Annotated[int, typer.Option(min=1, max=64, help="Take 1 is reduced by this.")] = 4,
    stretch: Annotated[bool, typer.Option("--stretch", help="Allow another aspect ratio.")] = False,
    confidence: Confidence = 0.95,
    cache: Cache = Path("cache"),
    as_json: AsJson = False,
) -> None:
    """Compare generated continuations with two real takes of each scene (Physics-IQ)."""
    from ..metrics.physics_iq.protocol import PhysicsIQSettings
    from ..metrics.physics_iq.protocol import physics_iq as score
    from ..metrics.physics_iq.takes import find_shots
    from .cache import FeatureCache

    chosen = PhysicsIQSettings(seconds=seconds, scale=scale, stretch=stretch)
    shots = find_shots(takes, generated, manifest)
    result = score(shots, chosen, cache=FeatureCache(cache), confidence=confidence)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_table(physics_iq_table(result))


def surprise(
    pairs: Annotated[Path, typer.Option(help="CSV: possible, impossible and, if need be, cluster, tag.")],
    encoder: Annotated[
        str, typer.Option(help="V-JEPA 2: hub id, folder, or YAML of weights, frames, context, step, stride.")
    ],
    reduce: Annotated[Reduce, typer.Option(help="Over a clip's windows.")] = Reduce.mean,
    confidence: Confidence = 0.95,
    cache: Cache = Path("cache"),
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    as_json: AsJson = False,
) -> None:
    """Ask whether a video model finds impossible clips more surprising than possible ones, pair by pair."""
    from ..metrics import EncoderOptions, make_encoder
    from ..metrics.surprise.pairs import read_pairs, score_pairs
    from .cache import FeatureCache

    listed = read_pairs(pairs)
    made = make_encoder("surprise", encoder, EncoderOptions(device, dtype))
    store = FeatureCache(cache)
    result = score_pairs(listed, made, store, reduce=reduce.value, confidence=confidence)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_table(pairs_table(result))


def validate(
    probes: Annotated[bool, typer.Option("--probes", help="The probes of physical laws.")] = False,
    skills: Annotated[bool, typer.Option("--skills", help="The skills of following a prompt.")] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Make the thresholds from lawful clips, instead of the card.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(help="Folder of card.json and CARD.md, skills.json and SKILLS.md, or thresholds.json."),
    ] = Path("runs/probes"),
    source: Annotated[str, typer.Option(help="Of the tracks; see the encoder 'tracks'.")] = "world",
    n: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100_000,
            help="Violations a law and severity, or clips a skill (40); scenes a family (120).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the scenes.")] = 0,
    thresholds: Annotated[
        Path | None, typer.Option(help="A thresholds.json to validate; by default the packaged one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate the probes on clips of known truth, or calibrate them; the same command resumes."""
    if probes == skills:
        raise UsageError(
            "say what to validate: --probes, the probes of physical laws, or --skills, those of prompts"
        )
    if skills:
        if calibrate or thresholds is not None or source != "world":
            raise UsageError(
                "--skills takes --out, --n and --seed; its limits are not calibrated by a command"
            )
        from ..metrics.validation.skill_report import SKILLS_TEXT, validate_skills

        made = validate_skills(out, n=40 if n is None else n, seed=seed)
        if as_json:
            print_json(made.model_dump(mode="json"))
        else:
            print_table(skills_table(made))
            say(f"card: {out / SKILLS_TEXT}")
        return
    from ..metrics.validation import bench as validation

    if calibrate:
        if thresholds is not None:
            raise UsageError("--calibrate makes thresholds and takes none; leave --thresholds out")
        file = validation.calibrate(out, source=source, n=120 if n is None else n, seed=seed)
        if as_json:
            print_json(file.model_dump(mode="json"))
        else:
            print_table(thresholds_table(file))
        return
    chosen = 40 if n is None else n
    card = validation.validate(out, source=source, n=chosen, seed=seed, thresholds=thresholds)
    if as_json:
        print_json(card.model_dump(mode="json"))
    else:
        print_table(card_table(card))
        say(f"card: {out / validation.CARD_TEXT}")


def extrapolate(
    out: Annotated[Path, typer.Option(help="A new folder for the suite, its beginnings and the answers.")],
    n: Annotated[int, typer.Option(min=2, max=10_000, help="Beginnings of each set.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Of the scenes.")] = 0,
) -> None:
    """Write a suite that asks whether a generator of the reference world learned its laws or its examples."""
    from ..metrics.validation.extrapolation import SETS, write_sets

    suite = write_sets(out, n, seed)
    say(f"{n} beginnings of each of {', '.join(SETS)}: {suite}")
    for name in ("true", "reconstructed"):
        floor = f"--suite {out / 'floor.yaml'} --generator folder:{out / name}"
        say(f"floor, {name}: screentest run {floor}")


def thresholds_table(file: ThresholdFile) -> Table:
    """Lay out a row a source and law."""
    columns = ("source", "law", "threshold", "of the look", "clips", "above", "largest")
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
    return Table("thresholds of the probes", columns, rows, (*missing, f"digest: {file.digest}"))


def card_table(card: Card) -> Table:
    """Lay out a row a law: how well violations of medium severity are told from lawful clips."""
    from ..metrics.validation.law_card import MEDIUM

    rows: list[tuple[str, ...]] = []
    for cell in card.cells:
        if (cell.look, cell.variety, cell.severity) == ("plain", "native", MEDIUM):
            lawful = next(
                a for a in card.alarms if (a.law, a.look, a.variety) == (cell.law, "plain", "native")
            )
            estimates = [
                text
                for e in (cell.auc, cell.found, lawful.rate)
                for text in (number(e.value), _ends(e.low, e.high))
            ]
            rows.append((cell.law, str(cell.n), *estimates))
    columns = ("law", "n", "AUC", "interval", "found", "interval", "false alarms", "interval")
    median = card.milliseconds["both"][0]
    notes = (f"{card.clips} clips; a clip of 16 x 64 x 64 takes {median:.1f} ms of processor time",)
    return Table(f"probes at severity {MEDIUM:g}", columns, rows, notes)


def skills_table(card: SkillsCard) -> Table:
    """Lay out a row a skill: how often it says yes to what is followed, and to what is not."""
    rows: list[tuple[str, ...]] = []
    for skill in dict.fromkeys(row.skill for row in card.rows):
        kept, turned = (card.get(skill, asked, "plain") for asked in ("kept", "turned"))
        cells = [
            text
            for row in (kept, turned)
            for text in (
                (number(None),) * 3
                if row is None
                else (number(row.yes), _ends(row.low, row.high), str(row.n))
            )
        ]
        rows.append((skill, *cells))
    columns = ("skill", "yes if followed", "interval", "n", "yes if not", "interval", "n")
    return Table("skills", columns, rows)


def _ends(low: float | None, high: float | None) -> str:
    return number(None) if low is None or high is None else f"[{number(low)}, {number(high)}]"


def pairs_table(result: PairsResult) -> Table:
    """Lay out the shares over all pairs and by tag, with what was left out below."""
    columns = ("pairs", "share", "interval", "n", "scenes", "how")
    rows = [_share(share.tag or "all, matched", share) for share in result.accuracy]
    rows.insert(1, _share("all, by one threshold", result.area))
    ties = sum(row.right == 0.5 for row in result.rows)
    level = f"{100 * result.area.confidence:.4g} %"
    notes = [
        f"share of pairs whose impossible clip is the more surprising, {level} intervals; chance is 0.5",
        *((f"ties, counted half: {ties}",) if ties else ()),
        *(f"left out, {count}: {reason}" for reason, count in result.left_out.items()),
    ]
    return Table(f"surprise, {result.reduce} of the windows", columns, rows, tuple(notes))


def _share(name: str, share: Share) -> tuple[str, ...]:
    ends = _ends(share.low, share.high)
    how = "; ".join((share.method, *share.notes))
    return name, number(share.value), ends, str(share.n), str(share.clusters), how


def physics_iq_table(result: PhysicsIQ) -> Table:
    """Lay out a row a scenario, its shots averaged, with both scores and what was left out below."""
    scenarios: dict[str, list[ShotScore]] = {}
    for row in result.rows:
        scenarios.setdefault(row.scenario, []).append(row)
    columns = ("scenario", "shots", "spatial", "spatiotemporal", "weighted", "MSE", "verified", "remarks")
    rows = [(name, *_scenario(shots)) for name, shots in scenarios.items()]
    all_shots = f"{result.shots} of {len(result.rows)}"
    overall = _agreements(result.generated, result.variance)
    rows.append(("all", all_shots, *overall, number(result.verified.value), ""))
    notes = [
        f"original: {_estimate(result.original)}",
        f"verified: {_estimate(result.verified)}",
        "agreement with take 1 of: the generated clip / take 2",
        *(f"left out, {count}: {reason}" for reason, count in result.left_out.items()),
    ]
    title = f"Physics-IQ, first {result.settings.seconds:g} s, {result.scenarios} scenarios"
    return Table(title, columns, rows, tuple(notes))


def _scenario(shots: Sequence[ShotScore]) -> tuple[str, ...]:
    good = [shot for shot in shots if shot.status == "ok"]
    said = {remark: None for shot in shots for remark in (shot.reason, *shot.notes) if remark}
    counted = f"{len(good)} of {len(shots)}"
    if not good:
        return (counted, *[number(None)] * 5, "; ".join(said))
    means = [
        {name: sum(values[name] for values in part) / len(good) for name in part[0]}
        for part in ([s.generated or {} for s in good], [s.variance or {} for s in good])
    ]
    verified = sum(shot.verified or 0.0 for shot in good) / len(good)
    return (counted, *_agreements(*means), number(verified), "; ".join(said))


def _agreements(generated: Mapping[str, float], variance: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{number(generated[name])} / {number(variance[name])}" for name in generated)


def _estimate(estimate: Estimate) -> str:
    interval = "no interval"
    if estimate.low is not None:
        level = f"{100 * estimate.confidence:.4g} %"
        interval = f"{level} interval [{number(estimate.low)}, {number(estimate.high)}]"
    how = "; ".join((estimate.method, *estimate.notes))
    return f"{number(estimate.value)}, {interval} ({how})"
