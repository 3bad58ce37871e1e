"""Before and after: same prompts, same seeds, only the adapter differs; the sheet and the report say so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.display import before_after
from lessons_lib.evaluation import compare, comparison, verdict
from lessons_lib.models import bases, features, pixels

PROMPTS, SEEDS = ["a ball", "a <fence> & a gate", "a lake"], [1, 2, 3]


class FakeSampler:
    """Draws a colour of the prompt and seed; the adapter turns it towards gold by its strength."""

    base = bases.find("pocket")

    def __init__(self):
        self.is_on, self.calls = False, []

    def load(self, run):
        self.is_on = True

    def unload(self):
        self.is_on = False

    def sample(self, prompts, seeds, strength=1.0):
        self.calls += [(p, s, self.is_on) for p in prompts for s in seeds]
        return [[self.one(p, s, strength if self.is_on else 0) for s in seeds] for p in prompts]

    def one(self, prompt, seed, strength):
        rng = np.random.default_rng([len(prompt), seed])
        grey = np.repeat(rng.integers(0, 255, (8, 8, 1)), 3, 2)
        values = grey * (1 - min(1, strength)) + np.array([200, 160, 40]) * rng.random((8, 8, 1)) * min(
            1, strength
        )
        return Image.fromarray(values.astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)


def painting(seed, licence="CC0-1.0"):
    values = np.array([200, 160, 40]) * np.random.default_rng(100 + seed).random((8, 6, 1))
    image = Image.fromarray(values.astype(np.uint8)).resize((72, 96), Image.Resampling.BICUBIC)
    rights = {"maker": "A & B", "licence": licence} if licence else {}
    return Picture(Path(f"p{seed}.png"), ImageFile.of(image), rights, f"painting {seed}")


def paintings(count):
    return Dataset([painting(i) for i in range(count)])


@pytest.fixture(scope="module", autouse=True)
def concepts(tmp_path_factory):
    path = tmp_path_factory.mktemp("concepts") / "concept_features.safetensors"
    rows = torch.nn.functional.normalize(
        torch.randn(40, 1280, generator=torch.Generator().manual_seed(0)), dim=1
    )
    save_file({"features": rows}, path, {"names": json.dumps(["ball", *[f"c{i}" for i in range(39)]])})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "CONCEPTS", path)
        features.load_concepts.cache_clear()
        yield
    features.load_concepts.cache_clear()


@pytest.fixture(scope="module")
def run():
    return Run(Path("runs/gold"), Settings(trigger="g0ld", name="gold").resolve(bases.find("pocket")))


@pytest.fixture(scope="module")
def compared(run):
    sampler, progress = FakeSampler(), []
    dataset = Dataset([painting(i) for i in range(5)], [painting(8), painting(9, None)])
    result = compare.compare(sampler, run, dataset, PROMPTS, SEEDS, lambda *t: progress.append(t))
    return result, sampler, progress


def test_both_rows_use_the_same_prompts_and_seeds(compared):
    _, sampler, _ = compared
    before = [(p, s) for p, s, on in sampler.calls if not on]
    after = [(p, s) for p, s, on in sampler.calls if on][: len(before)]
    assert before == after and len(before) == 9 and all("g0ld" in p for p, _ in before)


def test_the_adapter_is_left_on(compared):
    assert compared[1].is_on


def test_progress_reaches_its_end(compared):
    assert compared[2] == [(i, 7) for i in range(1, 8)]


def test_the_strip_runs_from_the_base_to_the_tuned_picture(compared):
    result, _, _ = compared
    assert result.frames[0].tobytes() == result.base_images[0][0].tobytes()
    assert result.frames[result.strengths.index(1)].tobytes() == result.tuned_images[0][0].tobytes()
    assert result.is_off_at_zero


def test_an_adapter_that_cannot_be_switched_off_is_reported(run):
    class Leaky(FakeSampler):
        def sample(self, prompts, seeds, strength=1.0):
            return super().sample(prompts, seeds, max(strength, 0.1))

    result = compare.compare(Leaky(), run, paintings(3), PROMPTS, SEEDS)
    assert not result.is_off_at_zero and "NOT the base's" in verdict.lines(result)[4]


def test_measures_stand_beside_floor_and_ceiling(compared):
    measures = compared[0].measures
    assert list(measures) == [
        "style match",
        "style match, centre crops",
        "prompt match",
        "seeds differ",
        "layout of a training picture",
    ]
    style = measures["style match"]
    assert style.base == style.floor < style.tuned and style.low <= style.tuned <= style.high
    assert measures["prompt match"].ceiling == 1 and "floor 0.00 = chance" in str(measures["prompt match"])


def test_five_lines_say_what_changed(compared):
    lines = verdict.lines(compared[0])
    assert [line.split(":")[0] for line in lines] == ["style", "prompt", "seeds", "copies", "switched off"]
    assert (
        re.match(r"style: -?\d+ % of the gap to the paintings closed", lines[0])
        and "held-out pictures" in lines[0]
    )


@pytest.mark.parametrize(
    ("before", "after", "share"), [(0.5, 0.4, "80 % kept"), (0.1, 0.3, None), (0.04, 0.02, None)]
)
def test_the_kept_share_of_the_prompt_is_given_only_where_it_means_something(before, after, share):
    line = verdict.prompt_line(
        comparison.Measure("prompt match", before, after, 0, 1, 0, 1, "chance", "always right")
    )
    assert (share in line) if share else "kept" not in line


def test_without_held_out_pictures_the_lines_say_so(run):
    result = compare.compare(FakeSampler(), run, paintings(3), ["a lake"], [1])
    lines = verdict.lines(result)
    assert len(lines) == 5 and "none were held out" in lines[0]
    assert "no prompt names a concept" in lines[1] and "takes two seeds" in lines[2]


def test_a_copied_training_picture_is_pointed_at(run):
    class Copier(FakeSampler):
        def one(self, prompt, seed, strength):
            return pixels.to_square(painting(seed).image, 64) if strength else super().one(prompt, seed, 0)

    result = compare.compare(Copier(), run, paintings(4), ["a ball"], [1, 2])
    assert [i for i, _ in result.nearest] == [1, 2] and "may be a copy" in verdict.lines(result)[3]


def test_missing_concept_features_leave_the_prompt_unmeasured(run, monkeypatch, tmp_path):
    monkeypatch.setattr(features, "CONCEPTS", tmp_path / "gone.safetensors")
    features.load_concepts.cache_clear()
    result = compare.compare(FakeSampler(), run, paintings(3), ["a ball"], [1, 2])
    assert "prompt match" not in result.measures and "gone.safetensors is missing" in verdict.lines(result)[1]


@pytest.mark.parametrize("prompts, seeds", [([], [1]), (["a ball"], [])])
def test_nothing_to_draw_is_an_error(run, prompts, seeds):
    with pytest.raises(ValueError, match="expected one or more of each"):
        compare.compare(FakeSampler(), run, paintings(1), prompts, seeds)


def test_of_a_large_set_only_some_pictures_are_in_memory_at_once(run, monkeypatch, tmp_path):
    class Counted:
        def image_features(self, images):
            if not isinstance(images, torch.Tensor):
                sizes.append(len(images))
            return features.image_features(images, 64, 64)

        concepts = staticmethod(features.load_concepts)

    sizes, decoded, dataset = [], [], paintings(70)
    monkeypatch.setattr(compare.judges, "find", lambda base: Counted())
    result = compare.compare(FakeSampler(), run, dataset, ["a ball"], [1, 2])
    assert max(sizes) == 16 and sum(sizes) == 2 * (70 + 2 + 2)
    monkeypatch.setattr(ImageFile, "image", property(lambda file: decoded.append(file) or file._image))
    result.sheet()
    assert len(decoded) == 40


def test_files_are_whole_or_not_there_and_the_picture_comes_last(compared, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError("no room")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(Path, "write_bytes", full)
        compare.save(compared[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_sheet_has_the_base_above_the_tuned_row(compared):
    result, _, _ = compared
    page = np.asarray(result.sheet())
    for images in (result.base_images, result.tuned_images):
        assert find(page, images[0][0]) is not None
    assert find(page, result.base_images[0][0])[0] < find(page, result.tuned_images[0][0])[0]
    assert find(page, result.base_images[0][0])[1] == find(page, result.tuned_images[0][0])[1]


def find(page, image):
    """Return (y, x) where a picture, at the sheet's cell size, is on the page, or None."""
    cell = np.asarray(image.resize((before_after.CELL, before_after.CELL), Image.Resampling.LANCZOS))
    for y, x in np.argwhere((page[: -before_after.CELL, : -before_after.CELL] == cell[0, 0]).all(2)):
        if (page[y : y + before_after.CELL, x : x + before_after.CELL] == cell).all():
            return int(y), int(x)
    return None


def test_what_is_saved_opens_from_disk_and_loads_nothing(compared, tmp_path):
    compare.save(compared[0], tmp_path / "new" / "folder")
    text = (tmp_path / "new" / "folder" / "report.html").read_text(encoding="utf-8")
    assert Image.open(tmp_path / "new" / "folder" / "before_after.jpg").width > 1000
    assert not re.search(r'(src|href)="(?!data:)', text) and "http" not in re.sub(r'"data:[^"]*"', "", text)
