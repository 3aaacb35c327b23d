"""What a user would run instead, beside ours: the same number from the same input, and the ratio of times.

    make bench-peers
    build/peers/bin/python tests/benchmarks/peers.py [frechet] [kernel] [neighbours] [flicker] [dit]
        [--wide] [--repeats N] [--threads N] [--clips N]

The peers have a virtual environment of their own, which `make bench-peers` builds; one that is missing is
named and left out. Ours and the peers run in turns (A B C, C B A ...) in one process, each turn gives one
ratio ours / peer, and the table has the median of them by the wall clock and by the process's own CPU time:
below 1 ours is faster. Seconds say only what was divided. Nothing is asserted: a time is no test. ``differs
by`` is the largest relative difference of the values.

frechet     the Frechet distance of 2,048 features against 2,048: from features to the distance
kernel      the kernel distance, as 20 subsets of 1,000 (the same ones), mean and deviation
neighbours  precision and recall, k = 3, and with density and coverage, k = 5
flicker     from video files to the similarity of neighbouring frames
dit         a step of the transformer, forward alone, beside one of diffusers of equal width, depth and tokens
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import platform
import statistics
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from screentest.metrics import frechet_distance, precision_recall_density_coverage
from screentest.metrics.distribution.kernel import kernel_distance
from screentest.metrics.encoders.pixels import PixelsEncoder

Array = NDArray[np.float32]
Values = Sequence[float]
Way = Callable[[], Values]

PACKAGES = (
    "numpy", "scipy", "torch", "torchvision", "torchmetrics", "torch-fidelity", "cd-fvd", "prdc", "vbench",
    "fastvideo", "diffusers", "av", "opencv-python-headless", "decord",
)  # fmt: skip
SAMPLES = 2048
SHORTEST = 0.1
"""Seconds that a way is run for in a turn, at least."""
LONG = 60.0
"""Seconds of a turn of all ways, beyond which there is one turn only."""
NONE = "no equal value"
KEPT: list[torch.library.Library] = []
"""What PyTorch forgets when nothing refers to it."""


@dataclass(frozen=True)
class Case:
    """One number: our way to it, and the peers'."""

    what: str
    ours: Way
    peers: dict[str, Way | str]
    """What a peer does, or why it is not here."""
    equal: bool = True
    """Whether the values are of the same thing."""


def features(d: int, n: int = SAMPLES) -> tuple[Array, Array]:
    """Draw two sets of correlated features (n, d), a little apart."""
    rng = np.random.default_rng(d)
    mixing = rng.standard_normal((d, d)) / np.sqrt(d) + np.eye(d)
    x, y = rng.standard_normal((2, n, d)) @ mixing
    return x.astype(np.float32), (1.1 * y + 0.3).astype(np.float32)


def peer(make: Callable[[], Way]) -> Way | str:
    """Make a peer's way, or say in a few words why it cannot be made."""
    try:
        return make()
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        return f"not here: {str(error).splitlines()[0]}"


def load_torchvision() -> None:
    """Import torchvision where its operators are of another build than PyTorch: none of them is used here."""
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        KEPT.append(torch.library.Library("torchvision", "DEF"))
        for operator in ("nms", "qnms"):
            KEPT[0].define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")


# Sets ---------------------------------------------------------------------------------------------


def frechet(options: argparse.Namespace) -> Iterator[Case]:
    """Distances between Gaussians; cd-fvd's divides the covariance by n, and ours is asked for the same."""
    for d in (64, 400, 2048) if options.wide else (64, 400):
        x, y = features(d)
        torch_x, torch_y = torch.from_numpy(x).double(), torch.from_numpy(y).double()
        yield Case(
            f"n 2,048, d {d:,}",
            partial(_ours_frechet, x, y, 1),
            {
                "torchmetrics": peer(partial(_torchmetrics, torch_x, torch_y)),
                "torch-fidelity": peer(partial(_torch_fidelity, torch_x, torch_y)),
                "fastvideo": peer(partial(_fastvideo_frechet, x, y)),
            },
        )
        yield Case(
            f"n 2,048, d {d:,}, covariance over n",
            partial(_ours_frechet, x, y, 0),
            {"cd-fvd": peer(partial(_cd_fvd, x, y))},
        )


def _ours_frechet(x: Array, y: Array, ddof: Any) -> Values:
    return [frechet_distance(x, y, ddof=ddof)]


def _torchmetrics(x: torch.Tensor, y: torch.Tensor) -> Way:
    core: Any = importlib.import_module("torchmetrics.image.fid")._compute_fid

    def moments(
        rows: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # from the sums that the metric keeps
        n, total, products = len(rows), rows.sum(dim=0), rows.T @ rows
        mean = total / n
        return mean, (products - n * torch.outer(mean, mean)) / (n - 1)

    return lambda: [float(core(*moments(x), *moments(y)))]


def _torch_fidelity(x: torch.Tensor, y: torch.Tensor) -> Way:
    fid: Any = importlib.import_module("torch_fidelity.metric_fid")

    def run() -> Values:
        both = (fid.fid_features_to_statistics(rows) for rows in (x, y))
        return [fid.fid_statistics_to_metric(*both, verbose=False)[fid.KEY_METRIC_FID]]

    return run


def _fastvideo_frechet(x: Array, y: Array) -> Way:
    fvd: Any = fastvideo_module("fastvideo.eval.metrics.common.fvd.metric")

    def run() -> Values:
        both = (moment for rows in (x, y) for moment in fvd._gaussian_params(rows.astype(np.float64)))
        return [fvd._frechet_distance(*both)]

    return run


def _cd_fvd(x: Array, y: Array) -> Way:
    statistics_of: Any = importlib.import_module("cdfvd.utils.metric_utils").FeatureStats
    distance: Any = importlib.import_module("cdfvd.fvd").cdfvd.compute_fvd_from_stats

    def run() -> Values:
        both: list[Any] = []
        for rows in (x, y):
            both.append(statistics_of(capture_mean_cov=True))
            both[-1].append(rows)
        return [
            float(distance(None, *both))
        ]  # the object itself would load weights, which this does not need

    return run


def kernel(_: argparse.Namespace) -> Iterator[Case]:
    """Kernel distances of the same subsets: both draw them in the same order from the same generator."""
    for d in (400, 2048):
        # Ours puts the rows in an order of their own first; in that order the draws are the same clips.
        x, y = (rows[sorted(range(len(rows)), key=lambda i, r=rows: r[i].astype(np.float64).tobytes())]
                for rows in features(d))  # fmt: skip
        yield Case(
            f"n 2,048, d {d:,}",
            partial(_ours_kernel, x, y),
            {"torch-fidelity": peer(partial(_torch_fidelity_kernel, x, y))},
        )


def _ours_kernel(x: Array, y: Array) -> Values:
    rng: Any = np.random.RandomState(0)  # as torch-fidelity draws
    return kernel_distance(x, y, rng=rng, subsets=20, subset_size=1000)


def _torch_fidelity_kernel(x: Array, y: Array) -> Way:
    kid: Any = importlib.import_module("torch_fidelity.metric_kid")
    settings = {"kid_subsets": 20, "kid_subset_size": 1000, "rng_seed": 0, "verbose": False}
    rows = [torch.from_numpy(z).double() for z in (x, y)]
    return lambda: list(kid.kid_features_to_metric(*rows, **settings).values())


def neighbours(_: argparse.Namespace) -> Iterator[Case]:
    """Shares of clips within the balls of the other set."""
    for d in (400, 2048):
        real, fake = features(d)
        yield Case(
            f"precision and recall, k 3, n 2,048, d {d:,}",
            lambda real=real, fake=fake: precision_recall_density_coverage(real, fake, nearest_k=3)[:2],
            {"torch-fidelity": peer(partial(_torch_fidelity_neighbours, real, fake))},
        )
        yield Case(
            f"with density and coverage, k 5, n 2,048, d {d:,}",
            lambda real=real, fake=fake: precision_recall_density_coverage(real, fake, nearest_k=5),
            {"prdc": peer(partial(_prdc, real, fake))},
        )


def _torch_fidelity_neighbours(real: Array, fake: Array) -> Way:
    prc: Any = importlib.import_module("torch_fidelity.metric_prc")
    rows = [torch.from_numpy(z).double() for z in (fake, real)]
    settings = {"prc_neighborhood": 3, "prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}

    def run() -> Values:
        told = prc.prc_features_to_metric(*rows, **settings)
        return [told[prc.KEY_METRIC_PRECISION], told[prc.KEY_METRIC_RECALL]]

    return run


def _prdc(real: Array, fake: Array) -> Way:
    compute: Any = importlib.import_module("prdc").compute_prdc

    def run() -> Values:
        with contextlib.redirect_stdout(io.StringIO()):
            told = compute(real.astype(np.float64), fake.astype(np.float64), nearest_k=5)
        return [float(told[name]) for name in ("precision", "recall", "density", "coverage")]

    return run


# Clips --------------------------------------------------------------------------------------------


def flicker(options: argparse.Namespace) -> Iterator[Case]:
    """Temporal flickering of video files. Ours also hashes each file, looks for blank frames and caches."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clips"
        benchmark("one_pass").make_clips(folder, options.clips, 48, 640, 360)
        files = sorted(folder.glob("*.mp4"))
        info, frames_THWC = _frames(files[0])
        yield Case(
            "1 clip of 48 x 360 x 640, from its frames",
            partial(_ours_flicker_of_frames, info, frames_THWC),
            {
                "vbench": peer(partial(_vbench_flicker_of_frames, frames_THWC)),
                "fastvideo": peer(partial(_fastvideo_flicker_of_frames, frames_THWC)),
            },
        )
        yield Case(
            f"{len(files)} clips of 48 x 360 x 640, from the files",
            partial(_ours_flicker, files),
            {
                "vbench": peer(partial(_vbench_flicker, files)),
                "fastvideo": peer(partial(_fastvideo_flicker, files)),
            },
        )


def _frames(path: Path) -> tuple[Any, NDArray[np.uint8]]:
    from screentest.harness.core.media import open_clip

    clip = open_clip(path)
    return clip.info, np.concatenate([window.frames_THWC for window in clip.windows()])


def _ours_flicker_of_frames(info: Any, frames_THWC: NDArray[np.uint8]) -> Values:
    from screentest.harness.core.media import Window

    stream = PixelsEncoder().open(info)
    stream.push(Window(frames_THWC, np.arange(len(frames_THWC)) / 8, 0))
    return [1 - float(stream.finish().mean()) / 255]


def _vbench_flicker_of_frames(frames_THWC: NDArray[np.uint8]) -> Way:
    differences: Any = importlib.import_module("vbench.temporal_flickering").mae_seq
    return lambda: [1 - float(differences(list(frames_THWC)).mean()) / 255]


def _fastvideo_flicker_of_frames(frames_THWC: NDArray[np.uint8]) -> Way:
    metric: Any = fastvideo_module("fastvideo.eval.metrics.vbench.temporal_flickering.metric")
    measure, video = metric.TemporalFlickeringMetric(), torch.from_numpy(frames_THWC).movedim(-1, 1) / 255
    return lambda: [measure.compute({"video": video}).score]


def benchmark(name: str) -> Any:
    """Import a benchmark that lies beside this one."""
    return importlib.import_module(name)


def _ours_flicker(files: Sequence[Path]) -> Values:
    from screentest.harness.core.items import ClipSettings, make_item
    from screentest.harness.core.media import open_clip
    from screentest.harness.core.run_data import ClipRecord
    from screentest.harness.scoring.clips import Scorer
    from screentest.metrics import MEASURES, make_encoder
    from screentest.metrics.encoders.cache import FeatureCache

    measure = MEASURES.get("motion.flicker")
    values: list[float] = []
    with tempfile.TemporaryDirectory() as cache:
        encoders = {need: make_encoder(need) for need in measure.needs}
        scorer = Scorer([measure], encoders, FeatureCache(Path(cache)))
        for path in files:
            item = make_item(None, 0, ClipSettings(), source=path.name)
            record = ClipRecord(item.id, "ok", sha256=open_clip(path).sha256, file=path.name)
            _, (score,) = scorer.score(item, record, path)
            values.append(float(score.value or 0.0))
    return values


def _vbench_flicker(files: Sequence[Path]) -> Way:
    score: Any = importlib.import_module("vbench.temporal_flickering").cal_score
    return lambda: [score(str(path)) for path in files]


def _fastvideo_flicker(files: Sequence[Path]) -> Way:
    load: Any = fastvideo_module("fastvideo.eval.io.video").load_video
    metric: Any = fastvideo_module("fastvideo.eval.metrics.vbench.temporal_flickering.metric")
    measure = metric.TemporalFlickeringMetric()
    return lambda: [measure.compute({"video": load(str(path))}).score for path in files]


def fastvideo_module(name: str) -> Any:
    """Import a part of fastvideo without its pipelines, which need a GPU's kernels and another PyTorch."""
    if "fastvideo" not in sys.modules:
        spec = find_spec("fastvideo")
        if spec is None:
            raise ImportError("no package fastvideo")
        for part in ("fastvideo", "fastvideo.eval", "fastvideo.eval.metrics", "fastvideo.eval.io"):
            bare = types.ModuleType(part)
            places = list(spec.submodule_search_locations or [])
            bare.__path__ = [str(Path(place, *part.split(".")[1:])) for place in places]
            sys.modules[part] = bare
    return importlib.import_module(name)


# The transformer ----------------------------------------------------------------------------------


def dit(_: argparse.Namespace) -> Iterator[Case]:
    """A step of 32 clips of 4 latent frames of 8x8, 64 patches and 12 words each; weights are random."""
    from screentest.generators.reference.model.dit import DiT, build_config

    rng = torch.Generator().manual_seed(0)
    batch, words, text_width = 32, 12, 96
    config = build_config("small", text_width)
    ours = DiT(config).eval()
    x = torch.randn(batch, 16, 4, 8, 8, generator=rng)
    text = torch.randn(batch, words, text_width, generator=rng)
    moment = torch.rand(batch, generator=rng)

    @torch.inference_mode()
    def step() -> Values:
        ours(list(x), moment, list(text), text.mean(dim=1))
        return []

    def theirs() -> Way:
        made: Any = importlib.import_module("diffusers").CogVideoXTransformer3DModel
        model = made(
            num_attention_heads=config.heads, attention_head_dim=config.width // config.heads,
            in_channels=16, out_channels=16, time_embed_dim=config.width, text_embed_dim=text_width,
            num_layers=config.depth, sample_width=8, sample_height=8, sample_frames=13, patch_size=2,
            max_text_seq_length=words,
        ).eval()  # fmt: skip
        named.append(f"{_millions(model)} in theirs")
        frames_first = x.transpose(1, 2).contiguous()

        @torch.inference_mode()
        def run() -> Values:
            model(frames_first, encoder_hidden_states=text, timestep=1000 * moment, return_dict=False)
            return []

        return run

    named: list[str] = [f"{_millions(ours)} weights in ours"]
    other = peer(theirs)
    what = (
        f"{batch} clips, width {config.width}, depth {config.depth}, {64 + words} tokens; {', '.join(named)}"
    )
    yield Case(what, step, {"diffusers, CogVideoX's transformer": other}, equal=False)


def _millions(model: torch.nn.Module) -> str:
    return f"{sum(weights.numel() for weights in model.parameters()) / 1e6:.2f} M"


# Turns and the table ------------------------------------------------------------------------------


def measured(case: Case, repeats: int) -> Iterator[list[str]]:
    """Run a case in turns, and give a row of the table for each peer."""
    ways: dict[str, Way] = {"ours": case.ours}
    ways |= {name: way for name, way in case.peers.items() if not isinstance(way, str)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    values: dict[str, Values] = {}
    failed: dict[str, str] = {}
    for name in list(ways):  # once each, for the values and what is loaded at first
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            values[name] = ways[name]()
        except Exception as error:
            if name == "ours":
                raise
            failed[name] = f"fails: {type(error).__name__}: {str(error).splitlines()[0]}"
            del ways[name]
            continue
        times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    if sum(spent[0][0] for spent in times.values() if spent) > LONG:
        repeats = 0
    else:
        times = {name: [] for name in ways}
    calls = 1
    for turn in range(repeats):
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(calls):
                ways[name]()
            times[name].append(((time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls))
            if not turn and name == "ours":  # a short way is run several times a turn
                calls = max(1, min(20, round(SHORTEST / times[name][0][0])))
        print(f"  {case.what}: turn {turn + 1} of {repeats}", file=sys.stderr, flush=True)
    for name, way in case.peers.items():
        if isinstance(way, str) or name in failed:
            yield [case.what, name, way if isinstance(way, str) else failed[name], "", "", ""]
            continue
        pairs = list(zip(times["ours"], times[name], strict=True))
        wall, cpu = ([a[clock] / b[clock] for a, b in pairs] for clock in (0, 1))
        seconds = [statistics.median(t[0] for t in times[way]) for way in ("ours", name)]
        yield [
            case.what,
            name,
            _differs(values["ours"], values[name]) if case.equal else NONE,
            _ratio(wall),
            _ratio(cpu),
            f"{seconds[0]:.3g} / {seconds[1]:.3g} s",
        ]


def _ratio(ratios: Sequence[float]) -> str:
    if len(ratios) == 1:
        return f"{ratios[0]:.2f} (one turn)"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _differs(ours: Values, theirs: Values) -> str:
    gaps = [abs(a - b) / abs(a) if a else abs(b) for a, b in zip(ours, theirs, strict=True)]
    return "0" if not max(gaps) else f"{max(gaps):.0e}"


def machine(threads: int) -> Iterator[str]:
    """Say what was measured, where and when."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    load = " ".join(f"{part:.0f}" for part in os.getloadavg())
    cores = f"{os.cpu_count()} virtual cores of {cpu}"
    yield f"{datetime.now(UTC):%Y-%m-%d}, {cores}, {threads} threads, load {load}"
    known: list[str] = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            known.append(f"{package} {version(package)}")
    yield ", ".join(known)


BENCHES: dict[str, Callable[[argparse.Namespace], Iterator[Case]]] = {
    "frechet": frechet,
    "kernel": kernel,
    "neighbours": neighbours,
    "flicker": flicker,
    "dit": dit,
}


def main() -> None:
    """Run the benches and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], metavar="BENCH", default=[])
    parser.add_argument(
        "--wide", action="store_true", help="Frechet distances of 2,048 features too: minutes"
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns, and so ratios (5)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (2)")
    parser.add_argument("--clips", type=int, default=4, help="video files of `flicker` (4)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    load_torchvision()
    for line in machine(options.threads):
        print(f"{line}\n")
    print("| | what | peer | differs by | ours / peer, wall | ours / peer, CPU | seconds, ours / peer |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in options.benches or BENCHES:
        for case in BENCHES[name](options):
            for row in measured(case, options.repeats):
                print(f"| {' | '.join([name, *row])} |", flush=True)


if __name__ == "__main__":
    main()
