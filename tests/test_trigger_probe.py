"""What a word means to a base before training."""

from PIL import Image

from lessons_lib.dataset import dataset
from lessons_lib.evaluation import trigger_probe
from lessons_lib.models import bases


class FakeSampler:
    """Stands for a base model that knows one word."""

    base = bases.find("pocket")
    elephant = dataset.read("data/sample_mughal").pictures[0].image

    def sample(self, prompts, seeds):
        def one(prompt, seed):
            return (
                self.elephant if prompt == "elephant" else Image.new("RGB", (128, 128), (90 + seed, 120, 120))
            )

        return [[one(p, s) for s in seeds] for p in prompts]


def test_a_known_word_has_an_effect_and_a_made_up_one_has_none():
    assert trigger_probe.word_effect(FakeSampler(), "elephant") > 0.2
    assert all(trigger_probe.word_effect(FakeSampler(), word) < 1e-4 for word in trigger_probe.MADE_UP_WORDS)
