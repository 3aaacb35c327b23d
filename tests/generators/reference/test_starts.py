from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from screentest.generators.reference.model.vae import VAE, VAEConfig, to_unit
from screentest.generators.reference.starts import encode_start, read_start
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import EDIT_STRENGTH, ClipSettings, make_item
from screentest.harness.core.media import write_clip

from .conftest import NATIVE, WIDE, randomise


def pictures(count: int, height: int = 64, width: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth pictures, each plainly another, that survive a video codec."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, height // 16, width // 16, 3))
    return coarse.repeat(16, 1).repeat(16, 2).astype(np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_clip(tmp_path / "a.mp4", pictures(20), 8)
    return tmp_path / "a.mp4"


@pytest.fixture(scope="module")
def vae() -> VAE:
    model = VAE(VAEConfig(widths=(16, 16, 16), encoder_blocks=(0, 0, 1), decoder_blocks=(0, 0, 1)))
    randomise(model)
    return model.eval()


def near(a: NDArray[np.uint8] | None, b: NDArray[np.uint8]) -> bool:
    return a is not None and a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 4


def start(clip: ClipSettings = NATIVE, **more: Any) -> Any:
    found = read_start(
        make_item(
            "a red ball",
            0,
            clip,
            **{k: str(v) if k in ("image", "video", "video_to") else v for k, v in more.items()},
        )
    )
    assert found is not None
    return found


def test_text_alone_starts_from_nothing(vae: VAE) -> None:
    assert read_start(make_item("a red ball", 0, NATIVE)) is None
    nothing = encode_start(vae, None, 16)
    assert (nothing.latents, nothing.known, nothing.still, nothing.strength) == (None, None, None, 1.0)


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "png"), ("RGBA", "png"), ("L", "png"), ("RGB", "bmp")])
def test_an_image_is_read_as_it_is(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.fromarray(pictures(1, 48, 80)[0]).convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    read = start(WIDE, image=tmp_path / f"a.{suffix}").image_HWC
    assert np.array_equal(read, np.asarray(image.convert("RGB")))


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    picture = pictures(1, 80, 48)[0]
    turned = Image.fromarray(picture)
    exif = turned.getexif()
    exif[0x0112] = 6  # show it turned by 90 degrees, clockwise
    turned.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(start(WIDE, image=tmp_path / "a.png").image_HWC, np.rot90(picture, -1))


def test_which_pictures_of_a_video_are_given(video: Path) -> None:
    frames = pictures(20)
    forward = start(video=video)
    assert near(forward.first_THWC, frames[12:])  # the last second
    assert forward.last_THWC is None
    back = start(video=video, use="extend-back")
    assert near(back.last_THWC, frames[:8])
    assert back.first_THWC is None
    write_clip(video.with_name("b.mp4"), pictures(5, seed=1), 8)
    between = start(video=video, use="connect", video_to=video.with_name("b.mp4"))
    assert near(between.first_THWC, frames[16:])
    assert near(between.last_THWC, pictures(5, seed=1)[:4])
    write_clip(video.with_name("c.mp4"), frames[:16], 8)
    edit = start(video=video.with_name("c.mp4"), use="edit", strength=0.4)
    assert near(edit.first_THWC, frames[:16])
    assert edit.strength == 0.4
    short = NATIVE.model_copy(update={"frames": 8})
    assert near(start(short, video=video).first_THWC, frames[16:])


def test_codes_lie_where_their_pictures_do(vae: VAE, video: Path) -> None:
    frames = pictures(20)
    given = encode_start(vae, start(video=video), 16)
    assert given.latents is not None
    assert given.known is not None
    assert given.latents.shape == (16, 4, 8, 8)
    assert given.known.tolist() == [True, True, False, False]
    back = encode_start(vae, start(video=video, use="extend-back"), 16)
    assert back.known is not None
    assert back.latents is not None
    assert back.known.tolist() == [False, False, True, True]
    assert not back.latents[:, :2].any()
    both = encode_start(vae, start(video=video, use="connect", video_to=video), 16)
    assert both.known is not None
    assert both.latents is not None
    assert both.known.tolist() == [True, False, False, True]

    def coded(part: NDArray[np.uint8]) -> torch.Tensor:
        with torch.no_grad():
            return vae.normalise(vae.encode(to_unit(torch.from_numpy(part)[None])).mean)[0]

    # Far from where the pictures end, a code is that of the clip alone: the decoder's frames come back.
    read = start(video=video)
    torch.testing.assert_close(
        given.latents[:, :1], coded(np.asarray(read.first_THWC))[:, :1], atol=1e-4, rtol=1e-4
    )
    assert (given.latents[:, 0] - both.latents[:, 0]).abs().max() > 1e-3
    still = encode_start(
        vae, read_start(make_item("a", 0, NATIVE, image=str(_png(video, frames[3])))), 16
    ).still
    assert still is not None
    torch.testing.assert_close(still, coded(frames[3:4].repeat(4, 0)), atol=1e-5, rtol=1e-5)
    write_clip(video.with_name("c.mp4"), frames[:16], 8)
    edit = encode_start(vae, start(video=video.with_name("c.mp4"), use="edit"), 16)
    assert edit.known is None
    assert edit.strength == EDIT_STRENGTH
    assert edit.latents is not None
    assert edit.latents.shape == (16, 4, 8, 8)


def _png(beside: Path, picture: NDArray[np.uint8]) -> Path:
    Image.fromarray(picture).save(beside.with_suffix(".png"))
    return beside.with_suffix(".png")


def test_what_is_given_is_coded_as_within_its_whole_clip(vae: VAE, tmp_path: Path) -> None:
    """A video that stands still is coded alike alone and as the first half of a longer one that does."""
    still = pictures(1).repeat(16, 0)
    write_clip(tmp_path / "a.mp4", still, 8)
    pictured = start(video=tmp_path / "a.mp4")
    given = encode_start(vae, pictured, 16)
    whole = encode_start(vae, start(video=tmp_path / "a.mp4", use="edit"), 16)
    assert given.latents is not None
    assert whole.latents is not None
    torch.testing.assert_close(given.latents[:, :2], whole.latents[:, :2], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("clip", "more", "says"),
    [
        (NATIVE, {"image": "none.png"}, "none.png is missing"),
        (NATIVE, {"image": "."}, "is a folder"),
        (NATIVE, {"image": "text.png"}, "text.png cannot be read"),
        (NATIVE, {"image": "cut.png"}, "cut.png cannot be read"),
        (NATIVE, {"image": "two.gif"}, "several pictures"),
        (NATIVE, {"image": "deep.png"}, "8 bits a channel"),
        (NATIVE, {"image": "wide.png"}, r"wide.png is 80x48, .* 64x64; crop and scale it to 64x64 first"),
        (NATIVE, {"video": "none.mp4"}, "none.mp4 is missing"),
        (NATIVE, {"video": "text.png"}, "cannot be read"),
        (NATIVE, {"video": "wide.mp4"}, "wide.mp4 is 80x48, .*64x64 first"),
        (NATIVE, {"video": "fast.mp4"}, "has 16 frames a second, .* 8; give a video of 64x64 at 8 fps"),
        (NATIVE, {"video": "short.mp4"}, "has 6 frames, and at least 8 of them are wanted"),
        (NATIVE, {"video": "a.mp4", "use": "edit"}, "has 20 frames, and 16 of them are wanted"),
        (NATIVE, {"video": "a.mp4", "use": "connect", "video_to": "none.mp4"}, "none.mp4 is missing"),
        (
            NATIVE.model_copy(update={"frames": 8}),
            {"video": "a.mp4", "use": "connect", "video_to": "a.mp4"},
            "a clip of 8 frames is too short to connect .*ask for at least 12 frames",
        ),
        (
            NATIVE.model_copy(update={"frames": 4}),
            {"video": "a.mp4"},
            "a clip of 4 frames is too short to extend .*ask for at least 8 frames",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: ClipSettings, more: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("no picture at all")
    Image.fromarray(pictures(1)[0]).save("a.png")
    Path("cut.png").write_bytes(Path("a.png").read_bytes()[:90])
    Image.fromarray(pictures(1)[0]).save(
        "two.gif", save_all=True, append_images=[Image.fromarray(pictures(2)[1])]
    )
    Image.fromarray(np.zeros((64, 64), np.uint16)).save("deep.png")
    Image.fromarray(pictures(1, 48, 80)[0]).save("wide.png")
    write_clip(Path("a.mp4"), pictures(20), 8)
    write_clip(Path("wide.mp4"), pictures(16, 48, 80), 8)
    write_clip(Path("fast.mp4"), pictures(16), 16)
    write_clip(Path("short.mp4"), pictures(6), 8)
    with pytest.raises(UsageError, match=says) as error:
        start(clip, **more)
    assert "\n" not in str(error.value)
