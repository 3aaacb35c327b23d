import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics import I3D


def weights_of(network: torch.nn.Module, *, counters: bool = True) -> dict[str, torch.Tensor]:
    """Parameters from NumPy alone, with variances so small that the epsilon tells."""
    weights: dict[str, torch.Tensor] = {}
    for index, (name, old) in enumerate(sorted(network.state_dict().items())):
        if name.endswith("num_batches_tracked"):
            if counters:
                weights[name] = torch.zeros((), dtype=torch.int64)
            continue
        values = np.random.default_rng(index).standard_normal(tuple(old.shape))
        if name.endswith("conv3d.weight"):
            values *= np.sqrt(2e-3 / np.prod(old.shape[1:]))
        elif name.endswith("running_var"):
            values = 1e-3 * (0.5 + np.abs(values))
        else:
            values = 0.1 * values + (1.0 if name.endswith("bn.weight") else 0.0)
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


def video(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(7).uniform(-1, 1, shape).astype(np.float32))


# From the network of piergiaj/pytorch-i3d, as the package cd-fvd 0.1.1 has it, with `weights_of`:
# the first four and the last two logits, and the deviation of all 400.
GOLDEN = [
    ("tf-hub", (1, 3, 9, 224, 224), [-0.15202, 0.14352, 0.04975, 0.21118, -0.04335, -0.13693, 0.130339]),
    ("tf-hub", (1, 3, 12, 197, 226), [-0.15238, 0.14452, 0.04941, 0.21283, -0.04401, -0.13443, 0.130566]),
    ("port", (1, 3, 12, 197, 226), [-0.33888, -0.06532, 0.18691, 0.35271, -0.36101, -0.18144, 0.278270]),
]


@pytest.mark.parametrize(("eps", "shape", "golden"), GOLDEN)
def test_it_equals_the_public_network_on_the_same_weights(eps, shape, golden):
    network = I3D(eps=eps).eval()
    network.load_state_dict(weights_of(network))
    with torch.no_grad():
        logits = network(video(*shape))
    assert logits.shape == (1, 400)
    found = [*logits[0, :4].tolist(), *logits[0, -2:].tolist(), logits.double().std().item()]
    assert found == pytest.approx(golden, abs=2e-5)


def test_the_layout_is_that_of_the_public_state_dicts():
    names = I3D().state_dict()
    assert tuple(names["Conv3d_1a_7x7.conv3d.weight"].shape) == (64, 3, 7, 7, 7)
    assert tuple(names["logits.conv3d.weight"].shape) == (400, 1024, 1, 1, 1)
    assert tuple(names["Mixed_5c.b3b.conv3d.weight"].shape) == (128, 832, 1, 1, 1)
    units = {name.rsplit(".", 2)[0] for name in names}
    blocks = ["3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"]
    branches = ["b0", "b1a", "b1b", "b2a", "b2b", "b3b"]
    assert units == {
        "Conv3d_1a_7x7",
        "Conv3d_2b_1x1",
        "Conv3d_2c_3x3",
        "logits",
        *(f"Mixed_{block}.{branch}" for block in blocks for branch in branches),
    }


def test_weights_load_strictly_but_for_counters_that_old_files_lack():
    network = I3D()
    network.load_state_dict(weights_of(network, counters=False))
    for change in ("missing", "unexpected"):
        weights = weights_of(network)
        if change == "missing":
            del weights["Mixed_4c.b2b.bn.running_var"]
        else:
            weights["Mixed_4c.b2b.conv3d.bias"] = torch.zeros(64)
        with pytest.raises(RuntimeError, match=r"Mixed_4c\.b2b"):
            network.load_state_dict(weights)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 8, 224, 224), "at least 9 frames; got 8"),
        ((1, 3, 9, 192, 224), "193 x 193 pixels or more.*got 224 x 192"),
        ((1, 1, 9, 224, 224), "B, 3, T, H, W"),
        ((3, 9, 224, 224), "B, 3, T, H, W"),
    ],
)
def test_what_it_cannot_read_is_refused_in_a_sentence(shape, message):
    with pytest.raises(UsageError, match=message):
        I3D(classes=5)(torch.zeros(shape))


def test_the_least_that_it_reads_and_other_classes():
    network = I3D(classes=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 9, 193, 193)).shape == (2, 5)


def test_an_unknown_epsilon_is_refused():
    with pytest.raises(UsageError, match="tf-hub, port"):
        I3D(eps="1e-4")  # pyright: ignore[reportArgumentType]
