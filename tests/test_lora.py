import copy

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from lessons_lib import lora


def test_a_new_adapter_changes_nothing():
    base = nn.Linear(6, 5)
    x = torch.randn(3, 6)
    assert torch.equal(lora.LoraLinear(base, rank=4, alpha=8)(x), base(x))


def test_the_layer_by_hand_equals_peft():
    model = nn.Sequential(nn.Linear(6, 5))
    ours = lora.LoraLinear(copy.deepcopy(model[0]), rank=4, alpha=8)
    theirs = inject_adapter_in_model(LoraConfig(r=4, lora_alpha=8, target_modules=["0"]), model)[0]
    nn.init.normal_(ours.up.weight)
    theirs.lora_A["default"].weight.data.copy_(ours.down.weight.data)
    theirs.lora_B["default"].weight.data.copy_(ours.up.weight.data)
    x = torch.randn(3, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_merging_the_delta_gives_the_same_answer():
    layer = lora.LoraLinear(nn.Linear(6, 5), rank=2, alpha=3)
    nn.init.normal_(layer.up.weight)
    merged = copy.deepcopy(layer.base)
    merged.weight.data += lora.lora_delta(layer.down.weight, layer.up.weight, 3)
    x = torch.randn(3, 6)
    assert torch.allclose(layer(x), merged(x), atol=1e-6)


def test_factors_of_different_rank_are_refused():
    with pytest.raises(ValueError, match="rank 2 and up has rank 3"):
        lora.lora_delta(torch.randn(2, 6), torch.randn(5, 3), 1)


def test_attached_weights_are_float32_and_only_they_learn(drawer):
    model = copy.deepcopy(drawer.pipe.transformer).half()
    lora.attach(model, 4, 4, drawer.family.TARGETS, seed=0)
    assert all("lora_" in name and p.dtype == torch.float32 for name, p in lora.learned(model).items())
    trained, total = lora.count(model)
    assert 0 < trained < total / 20


def test_the_same_seed_attaches_the_same_adapter(drawer):
    first, second = (copy.deepcopy(drawer.pipe.transformer) for _ in range(2))
    for model in (first, second):
        lora.attach(model, 4, 4, drawer.family.TARGETS, seed=3)
    pairs = zip(lora.learned(first).values(), lora.learned(second).values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_change_has_no_more_singular_values_than_its_rank(drawer):
    model = copy.deepcopy(drawer.pipe.transformer)
    lora.attach(model, 4, 4, ("to_q",), seed=0)
    for name, p in lora.learned(model).items():
        if "lora_B" in name:
            nn.init.normal_(p)
    values = lora.singular_values(model)
    assert len(values) == len([n for n, _ in model.named_modules() if n.endswith("to_q")])
    assert all(v.shape == (4,) and bool((v > 0).all()) for v in values.values())


def test_every_layer_a_family_names_gets_a_lora_and_no_other(drawer):
    model = copy.deepcopy(drawer.pipe.transformer)
    wanted = {n for n, _ in model.named_modules() if n.endswith(drawer.family.TARGETS)}
    lora.attach(model, 2, 2, drawer.family.TARGETS, seed=0)
    assert set(lora.singular_values(model)) == wanted


def test_attaching_leaves_the_random_numbers_of_the_caller_alone(drawer):
    model = copy.deepcopy(drawer.pipe.transformer)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    lora.attach(model, 2, 2, drawer.family.TARGETS, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_a_new_adapter_changes_nothing_in_the_whole_denoiser(drawer):
    model = copy.deepcopy(drawer.pipe.transformer)
    words = drawer.family.encode_captions(drawer.pipe, ["a cat"], drawer.base)
    latents, noise, sigma = torch.randn(1, 16, 16, 16), torch.randn(1, 16, 16, 16), torch.tensor([0.5])
    with torch.no_grad():
        before = drawer.family.loss(model, latents, words, noise, sigma)
        lora.attach(model, 4, 8, drawer.family.TARGETS, seed=0)
        assert torch.equal(drawer.family.loss(model, latents, words, noise, sigma), before)
