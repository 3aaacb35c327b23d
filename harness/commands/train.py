"""The command `train`: the reference generator, its encoders and prompt filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError, unknown_name
from ..core.files import check_output
from ..core.presentation import MISSING, Content, Table, estimate_cell
from .options import AsJson, extra_options, print_table, say, warn

if TYPE_CHECKING:
    from ...generators.reference.training.dit import TrainDit
    from ...generators.reference.training.loop import Watch
    from ...safety.detectors.detector import DetectorFile
    from ..core.config import Config

__all__ = ["train"]

_FILTERS = ("prompt-filter", "prompt-stack", "detector")


def train(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="vae, text, dit, refiner, clip, subject, hazard, video, prompt-filter, prompt-stack or "
            "detector (with --real DIR --generated DIR, both may be repeated)."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints; the same command resumes.")
    ] = None,
    settings: Annotated[bool, typer.Option("--settings", help="List the settings and do not train.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a part of the reference generator, an encoder, a prompt filter, a stack of filters or a detector.

    Every setting is an option, such as --steps 100; --settings lists them.
    """
    if settings:
        print_table(_settings_table(what, _settings_of(what)), as_json)
        return
    if what == "detector":
        _train_detector(context.args, out)
        return
    given = extra_options(context.args)
    if out is None:
        raise UsageError(f"name a folder with --out for what 'train {what}' writes")
    if what == "prompt-filter":
        from ...safety.assessment import Assessed
        from ...safety.training.card_suites import SUITES
        from ...safety.training.prompt_filter import train_prompt_filter
        from ..suites.loading import labelled_suite, load_suite

        suites = [Assessed(suite.name, *labelled_suite(suite)) for suite in map(load_suite, SUITES)]
        train_prompt_filter(out, given, suites)
        say(f"card: {out / 'CARD.md'}")
    elif what == "prompt-stack":
        from ...safety.training.prompt_stack import train_prompt_stack

        say(f"classifier: {train_prompt_stack(out, given)}")
    else:
        from ...generators.reference import train as train_reference

        _known(what)
        say(f"checkpoint: {train_reference(what, out=out, overrides=given, watch=_watch)}")


def _watch(config: TrainDit, out: Path) -> Watch | None:
    from ..api.watch import watch_dit

    return watch_dit(config, out)


def _train_detector(words: list[str], out: Path | None) -> None:
    """Train a detector of generated video on the folders that the words of the command name."""
    from ...metrics.encoders.cache import FeatureCache
    from ...safety.detectors.training import DetectorSettings, train_detector
    from ..core.config import checked
    from .detect import class_folders, detector_corpus

    if out is None:
        raise UsageError("name the file of the detector with --out FILE.json")
    check_output("--out", out)
    real, generated, rest = class_folders(words)
    given = extra_options(rest)
    cache = Path(given.pop("cache", "cache"))
    settings = checked(DetectorSettings, given, "'train detector'")
    corpus = detector_corpus(real, generated, settings.source_of_real, settings.source_of_generated)
    file, left_out = train_detector(corpus, settings, out, FeatureCache(cache))
    for sentence in left_out:
        warn(f"warning: left out: {sentence}")
    print_table(_detector_table(file))
    say(f"detector: {out}")


def _detector_table(file: DetectorFile) -> Table:
    own = file.calibrated
    rows: list[tuple[Content, ...]] = [
        ("AUC", estimate_cell(own.auc)),
        ("recall", estimate_cell(own.recall)),
        ("false alarms", estimate_cell(own.false_alarms)),
        ("AUC of metadata alone, as the files were", estimate_cell(file.metadata.before)),
        ("AUC of metadata alone, once prepared", estimate_cell(file.metadata.after)),
    ]
    notes = (
        f"on {own.auc.n} clips that neither the fit ({own.fit} clips) nor the threshold ({own.fixed_on} real "
        "clips) saw, of the same generators; 'screentest assess-detector' holds generators out",
    )
    return Table(f"the detector {file.name}, {file.digest[:12]}", ("of", "value [interval]"), rows, notes)


def _known(what: str) -> None:
    from ...generators.reference import TRAINABLE

    if what not in (*TRAINABLE, *_FILTERS):
        raise unknown_name("thing to train", what, (*TRAINABLE, *_FILTERS))


def _settings_of(what: str) -> type[Config]:
    """Return the settings model for training ``what``."""
    _known(what)
    if what == "prompt-filter":
        from ...safety.training.settings import PromptFilterSettings

        return PromptFilterSettings
    if what == "detector":
        from ...safety.detectors.training import DetectorSettings

        return DetectorSettings
    if what == "prompt-stack":
        from ...safety.training.prompt_stack import StackSettings

        return StackSettings
    from ...generators.reference.training.trainable import settings_of

    return settings_of(what)


def _settings_table(what: str, model: type[Config]) -> Table:
    rows = [
        (
            f"--{name.replace('_', '-')}",
            "required" if field.is_required() else str(field.get_default(call_default_factory=True)),
            _about(model, name),
        )
        for name, field in model.model_fields.items()
    ]
    return Table(f"settings of 'screentest train {what}'", ("setting", "default", "about"), rows)


def _about(model: type[Config], name: str) -> str:
    """Find the description of a setting, which may be in a base class."""
    for kind in model.__mro__:
        field = getattr(kind, "model_fields", {}).get(name)
        if field is not None and field.description:
            return field.description
    return MISSING
