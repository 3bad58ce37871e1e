"""Pictures drawn after a training carry what it takes to draw them again, and are found by their prompt."""

import pytest
from course_fakes import FakeSampler
from PIL import Image

from lessons_lib.evaluation import drawings


class Sampler(FakeSampler):
    adapter = "tuned"

    def sample(self, prompts, seeds, strength=None, steps=None):
        return super().sample(prompts, seeds, steps)


@pytest.fixture
def drawn(tmp_path):
    sampler = Sampler()
    prompts = ("a lighthouse by the sea, mugh4l", "ein Löwe: 獅子?", "a house")
    return sampler, [drawings.draw(sampler, prompt, 7, tmp_path, "album", 0.5) for prompt in prompts]


def test_a_drawing_says_in_its_file_how_it_was_made(drawn, tmp_path):
    assert {one.prompt for one in drawings.find(tmp_path)} == {one.prompt for one in drawn[1]}
    (one,) = drawings.find(tmp_path, "Lighthouse sea")
    assert (one.seed, one.strength, one.base, one.adapter) == (7, 0.5, "pocket", "album")
    assert "'a lighthouse by the sea, mugh4l', seed 7, pocket, album at 0.5" in str(one)


def test_a_drawing_can_be_drawn_again(drawn, tmp_path):
    sampler, (first, *_) = drawn
    assert first.draw_again(sampler).tobytes() == first.image.tobytes()


def test_the_same_prompt_and_seed_twice_leaves_both(drawn, tmp_path):
    sampler, _ = drawn
    sampler.adapter = None
    again = drawings.draw(sampler, "a house", 7, tmp_path)
    assert again.path.name == "a-house-7-2.png" and again.adapter == "" and again.strength == 0
    assert len(drawings.find(tmp_path, "house")) == 3  # a lighthouse, too


def test_a_drawing_never_denies_its_adapter_and_names_none_that_is_not_there(tmp_path):
    sampler = Sampler()
    drawing = drawings.draw(sampler, "a house", 7, tmp_path)
    assert drawing.adapter == "tuned" and drawing.strength == sampler.base.strength
    sampler.adapter = None
    with pytest.raises(ValueError, match="adapter is 'album', and the sampler has none"):
        drawings.draw(sampler, "a house", 7, tmp_path, "album")


def test_other_programs_find_their_own_line(drawn):
    text = Image.open(drawn[1][0].path).text["parameters"]
    assert text.startswith(
        "<lora:album:0.5> a lighthouse by the sea, mugh4l\nSteps: 20, CFG scale: 3.5, Seed: 7"
    )


def test_files_of_others_are_passed_over(drawn, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    (tmp_path / "text.png").write_text("no picture")
    assert len(drawings.find(tmp_path)) == 3
