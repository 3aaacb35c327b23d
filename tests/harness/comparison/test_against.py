import shutil

import pytest
from screentest.harness.commands.against import against_table
from screentest.harness.comparison.against import against
from screentest.harness.core.errors import UsageError
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run


@pytest.fixture
def made(tmp_path, make_suite, generator, cache):
    run(
        make_suite(prompts=[{"text": f"block {k}"} for k in range(3)]),
        generator,
        tmp_path / "run",
        Settings(cache),
    )
    return open_run(tmp_path / "run")


def test_a_run_against_itself_is_equal_throughout(made):
    found = against(made, made.folder)
    assert len(found.items) == 6
    assert all(item.equal and item.ssim == 1.0 for item in found.items)
    assert found.estimates["psnr"].value is None
    assert found.estimates["psnr"].left_out == {"equal": 6}
    assert found.estimates["ssim"].value == 1.0
    assert found.estimates["ssim"].n == 6


def test_a_run_against_a_folder_named_by_items(made, tmp_path):
    folder = tmp_path / "reference"
    folder.mkdir()
    clips = list(made.clips().values())
    for own, other in zip(clips, [*clips[2:], *clips[:2]], strict=True):
        if own is not clips[-1]:
            shutil.copyfile(made.clip_file(other), folder / f"{own.item}.mp4")
    found = against(made, folder)
    psnr = found.estimates["psnr"]
    assert psnr.n == 5
    assert psnr.value is not None
    assert psnr.low is not None
    assert psnr.high is not None
    assert 5 < psnr.low <= psnr.value <= psnr.high < 50
    assert len(against_table(found).rows) == 3


def test_a_folder_of_other_things_is_a_sentence(made, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="belongs to an item"):
        against(made, tmp_path / "empty")
    with pytest.raises(UsageError, match="neither a run nor a folder"):
        against(made, tmp_path / "nowhere")
