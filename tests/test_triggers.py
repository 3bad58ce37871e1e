"""What a word means already: to tokenizers, and to what is drawn."""

from PIL import Image

from lessons_lib.dataset import pictures
from lessons_lib.evaluation import trigger_probe


class Painter:
    """Stands for a base model that knows one word."""

    known = pictures.load("data/sample_mughal")[0].image

    def sample(self, prompts, seeds):
        def one(prompt, seed):
            return self.known if prompt == "elephant" else Image.new("RGB", (128, 128), (90 + seed, 120, 120))

        return [[one(p, s) for s in seeds] for p in prompts]


def test_each_base_shows_its_pieces_or_why_not(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = trigger_probe.cuts("mugh4l", ["pocket", "sd15"])
    assert "".join(found["pocket"]).lstrip("▁") == "mugh4l"
    assert isinstance(found["sd15"], str) and found["sd15"]


def test_a_known_word_pulls_and_a_made_up_one_does_not():
    assert trigger_probe.pull(Painter(), "elephant") > 0.2
    assert trigger_probe.pull_of_nothing(Painter()) < 1e-4
