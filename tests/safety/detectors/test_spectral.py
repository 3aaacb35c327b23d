"""The azimuthal power spectrum, on pictures whose spectrum is known."""

import numpy as np
import pytest
from screentest.safety.detectors.spectral import SPECTRAL_COLUMNS, azimuthal_spectrum, spectral_numbers

EDGE = 64


def number(frames: np.ndarray, name: str) -> float:
    return float(spectral_numbers(frames)[SPECTRAL_COLUMNS.index(name)])


def power_law(exponent: float, seed: int = 0) -> np.ndarray:
    """Make frames whose power falls as frequency to this exponent."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(EDGE)[:, None], np.fft.fftfreq(EDGE)[None, :])
    f[0, 0] = 1
    frames = []
    for _ in range(8):
        field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(EDGE, EDGE))) * f ** (exponent / 2)).real
        frames.append(np.clip(127 + 40 * field / field.std(), 0, 255))
    return np.repeat(np.stack(frames)[..., None], 3, axis=3).astype(np.uint8)


@pytest.mark.parametrize("exponent", [0.0, -1.0, -2.0])
def test_slope_is_the_exponent_of_the_power_law(exponent: float) -> None:
    assert number(power_law(exponent), "slope") == pytest.approx(exponent, abs=0.25)


def test_white_noise_has_the_power_of_its_variance_in_every_ring() -> None:
    noise = np.random.default_rng(1).normal(0, 10, (32, EDGE, EDGE))
    window = np.outer(np.hanning(EDGE), np.hanning(EDGE))
    assert azimuthal_spectrum(noise)[2:] == pytest.approx(100 * (window**2).mean(), rel=0.15)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_grid_of_upsampling_is_a_peak_at_its_period(period: int) -> None:
    plain = power_law(-1.0)
    grid = plain.copy()
    grid[:, ::period] = np.clip(grid[:, ::period].astype(int) + 20, 0, 255)
    grid[:, :, ::period] = np.clip(grid[:, :, ::period].astype(int) + 20, 0, 255)
    assert number(grid, f"peak_{period}") > number(plain, f"peak_{period}") + 0.5


def test_a_flat_clip_has_finite_numbers() -> None:
    assert np.isfinite(spectral_numbers(np.full((4, 32, 32, 3), 90, np.uint8))).all()
