import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from lessons_lib.adapters.settings import Settings
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.paths import POCKET
from lessons_lib.training import train

PROMPT = "a cat, mugh4l"


def bits(sampler, **more):
    return sampler.sample([PROMPT], [7], steps=3, **more)[0][0].tobytes()


def test_strength_zero_and_unloading_give_back_the_base_bit_for_bit(sampler, short_run):
    base = bits(sampler)
    sampler.load(short_run.folder)
    tuned, silent = bits(sampler), bits(sampler, strength=0)
    sampler.unload()
    assert tuned != base
    assert silent == base
    assert bits(sampler) == base


def test_a_picture_does_not_depend_on_its_company(sampler):
    alone = sampler.sample([PROMPT], [2], steps=3)[0][0].tobytes()
    among = sampler.sample(["a dog", PROMPT], [1, 2], steps=3)[1][1].tobytes()
    assert alone == among


def test_seeds_and_prompts_change_the_picture(sampler):
    pictures = sampler.sample(["a cat", "a red house"], [1, 2], steps=3)
    assert len({p.tobytes() for row in pictures for p in row}) == 4


def test_a_folder_without_an_adapter_is_named(sampler, tmp_path):
    with pytest.raises(FileNotFoundError, match="pytorch_lora_weights.safetensors"):
        sampler.load(tmp_path)


SCRIPT = """
import hashlib, json, sys, torch
from diffusers import FluxPipeline
pipe = FluxPipeline.from_pretrained(sys.argv[1], torch_dtype=torch.float32)
pipe.load_lora_weights(sys.argv[2], adapter_name="learned")
pipe.set_adapters("learned", 0.5)
image = pipe("a cat, mugh4l", height=128, width=128, num_inference_steps=3, guidance_scale=3.5,
             max_sequence_length=48, generator=torch.Generator().manual_seed(7)).images[0]
scale = pipe.transformer.transformer_blocks[0].attn.to_q.scaling
print(json.dumps({"picture": hashlib.sha256(image.tobytes()).hexdigest(), "scale": list(scale.values()),
                  "ours": any(name.startswith("lessons_lib") for name in sys.modules)}))
"""


def test_a_script_that_never_imports_the_library_draws_the_same_picture(sampler, short_run):
    import hashlib

    run = subprocess.run([sys.executable, "-c", SCRIPT, str(POCKET), str(short_run.folder)],
                         capture_output=True, text=True, check=True)  # fmt: skip
    said = json.loads(run.stdout.splitlines()[-1])
    sampler.load(short_run.folder)
    ours = hashlib.sha256(bits(sampler)).hexdigest()
    sampler.unload()
    assert said == {"picture": ours, "scale": [0.5], "ours": False}


def test_strength_goes_back_up_after_zero_and_half_is_neither(sampler, short_run):
    sampler.load(short_run.folder)
    full = bits(sampler)
    silent, half, again = (bits(sampler, strength=s) for s in (0, 0.25, None))
    sampler.unload()
    assert again == full
    assert len({full, silent, half}) == 3


def test_loading_a_second_run_replaces_the_first(sampler, short_run):
    sampler.load(short_run.folder)
    once = bits(sampler)
    sampler.load(short_run.folder)
    twice = bits(sampler)
    sampler.unload()
    assert twice == once


def test_unloading_when_nothing_is_loaded_does_nothing(sampler):
    sampler.unload()
    sampler.unload()


LOUD = """
import sys
from pathlib import Path
from lessons_lib.evaluation.sampler import Sampler
sampler = Sampler("pocket")
sampler.load(Path(sys.argv[1]))
sampler.sample(["a cat, mugh4l " * 30], [1], strength=0.5, steps=2)
sampler.unload()
"""


def test_loading_and_drawing_write_nothing_to_the_screen(short_run):
    run = subprocess.run([sys.executable, "-c", LOUD, str(short_run.folder)], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_damaged_adapter_is_named_and_leaves_the_base_as_it_was(sampler, short_run, tmp_path):
    before = bits(sampler)
    whole = short_run.adapter.read_bytes()
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged, it has .* bytes"):
        sampler.load(tmp_path)
    assert bits(sampler) == before


def test_an_adapter_of_another_size_is_refused(sampler, tmp_path):
    wrong = {
        "transformer.transformer_blocks.0.attn.to_q.lora_A.weight": torch.zeros(4, 999),
        "transformer.transformer_blocks.0.attn.to_q.lora_B.weight": torch.zeros(999, 4),
    }
    save_file(wrong, tmp_path / "pytorch_lora_weights.safetensors")
    with pytest.raises(ValueError, match="another base model"):
        sampler.load(tmp_path)


def test_the_base_of_four_steps_draws_with_adapters_trained_on_pocket(practice, sampler, short_run, tmp_path):
    quick = Sampler("pocket-schnell")
    plain = bits(quick)
    quick.load(short_run.folder)
    tuned = bits(quick)
    quick.unload()
    assert len({plain, tuned, bits(sampler)}) == 3
    assert bits(quick) == plain
    with pytest.raises(ValueError, match="pocket-schnell cannot be trained"):
        train.train(practice, Settings(trigger="mugh4l", base="pocket-schnell"), tmp_path / "never")


def test_a_picture_forms_from_its_noise_to_what_draw_gives(sampler):
    frames = sampler.sample_steps(PROMPT, 7, steps=3)
    assert len(frames) == 4 and len({f.tobytes() for f in frames}) == 4
    assert frames[-1].tobytes() == bits(sampler)


def test_the_steps_to_a_picture_are_at_the_usual_strength_whatever_was_drawn_before(sampler, short_run):
    sampler.load(short_run.folder)
    usual = bits(sampler)
    bits(sampler, strength=0)
    last = sampler.sample_steps(PROMPT, 7, steps=3)[-1]
    sampler.unload()
    assert last.tobytes() == usual


def test_a_guess_without_noise_is_the_picture_itself(sampler):
    z = torch.randn(
        sampler.family.latent_shape(sampler.pipe, sampler.base), generator=torch.Generator().manual_seed(0)
    )
    assert torch.allclose(sampler.predict_original(z, 0.0, PROMPT), z)
    assert sampler.predict_original(z, 0.9, PROMPT).shape == z.shape == (1, 16, 16, 16)


def test_guidance_is_a_number_that_the_guess_is_handed(sampler):
    z = torch.randn(
        sampler.family.latent_shape(sampler.pipe, sampler.base), generator=torch.Generator().manual_seed(0)
    )
    quiet, loud = (sampler.predict_original(z, 0.9, PROMPT, guidance=scale) for scale in (1.0, 3.5))
    assert torch.equal(quiet, sampler.predict_original(z, 0.9, PROMPT))
    assert not torch.allclose(quiet, loud)
