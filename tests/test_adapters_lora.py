import copy

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from lessons_lib.adapters import lora
from lessons_lib.models.families import flux

TINY = {
    "in_channels": 8, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 8,
    "num_attention_heads": 2, "joint_attention_dim": 12, "pooled_projection_dim": 6,
    "axes_dims_rope": (2, 2, 4),
}  # fmt: skip


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return FluxTransformer2DModel(**TINY)


def with_change(model, rank=4, alpha=8, variant="plain"):
    """Attach an adapter whose change is not zero."""
    lora.attach(model, rank, alpha, flux.TARGET_MODULES, 0, variant)
    generator = torch.Generator().manual_seed(1)
    for name, p in lora.trainable_parameters(model).items():
        if "lora_B" in name:
            p.data += 0.1 * torch.randn(p.shape, generator=generator)
    return model


def predict(model):
    generator = torch.Generator().manual_seed(2)
    embeddings = {
        "prompt_embeds": torch.randn(1, 3, 12, generator=generator),
        "pooled_prompt_embeds": torch.randn(1, 6, generator=generator),
    }
    with torch.no_grad():
        return flux.predict_velocity(
            model, torch.randn(1, 2, 4, 4, generator=generator), torch.tensor([0.5]), embeddings
        )


def weights(model):
    return [p.clone() for name, p in model.named_parameters() if "lora_" not in name]


def pair_of_layers(rank, alpha, dtype, bias=True):
    """Return the layer by hand and PEFT's, with the same factors."""
    model = nn.Sequential(nn.Linear(6, 5, bias=bias)).to(dtype)
    ours = lora.LoraLinear(copy.deepcopy(model[0]), rank, alpha)
    nn.init.normal_(ours.up.weight)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["0"])
    theirs = inject_adapter_in_model(config, model)[0]
    for name, own in (("lora_A", ours.down), ("lora_B", ours.up)):
        getattr(theirs, name)["default"].weight = nn.Parameter(own.weight.detach().clone())
    return ours, theirs


def test_a_new_adapter_changes_nothing():
    base = nn.Linear(6, 5)
    x = torch.randn(3, 6)
    assert torch.equal(lora.LoraLinear(base, rank=4, alpha=8)(x), base(x))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-6), (torch.float64, 1e-14), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)],
)
@pytest.mark.parametrize(("rank", "alpha"), [(1, 1), (4, 8), (16, 1)])  # 16 is more than the layer has
def test_the_layer_by_hand_equals_peft_in_output_and_gradients(rank, alpha, dtype, tolerance):
    ours, theirs = pair_of_layers(rank, alpha, dtype, bias=rank > 1)
    x = torch.randn(2, 3, 6, dtype=dtype)
    output, expected = ours(x), theirs(x)
    for layer_output in (output, expected):
        layer_output.square().sum().backward()
    assert output.dtype == expected.dtype == dtype
    torch.testing.assert_close(output, expected, rtol=tolerance, atol=tolerance)
    for name, own in (("lora_A", ours.down), ("lora_B", ours.up)):
        gradient = getattr(theirs, name)["default"].weight.grad
        torch.testing.assert_close(own.weight.grad, gradient, rtol=tolerance, atol=tolerance)
    assert ours.base.weight.grad is None


def test_a_model_of_layers_by_hand_equals_a_model_by_peft(tiny):
    by_peft = with_change(copy.deepcopy(tiny))
    for name, module in list(by_peft.named_modules()):
        if hasattr(module, "lora_A"):
            place, _, leaf = name.rpartition(".")
            layer = lora.LoraLinear(tiny.get_submodule(name), 4, 8)
            layer.down.weight.data = module.lora_A["default"].weight.data
            layer.up.weight.data = module.lora_B["default"].weight.data
            setattr(tiny.get_submodule(place), leaf, layer)
    torch.testing.assert_close(predict(tiny), predict(by_peft), rtol=1e-6, atol=1e-6)


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


def test_attached_weights_are_float32_and_only_they_learn(sampler):
    model = copy.deepcopy(sampler.pipe.transformer).half()
    lora.attach(model, 4, 4, sampler.family.TARGET_MODULES, seed=0)
    assert all(
        "lora_" in name and p.dtype == torch.float32 for name, p in lora.trainable_parameters(model).items()
    )
    trained, total = lora.count_parameters(model)
    assert 0 < trained < total / 20


def test_the_same_seed_attaches_the_same_adapter(tiny):
    first, second = (copy.deepcopy(tiny) for _ in range(2))
    for model in (first, second):
        lora.attach(model, 4, 4, flux.TARGET_MODULES, seed=3)
    pairs = zip(
        lora.trainable_parameters(first).values(), lora.trainable_parameters(second).values(), strict=True
    )
    assert all(torch.equal(a, b) for a, b in pairs)


def test_every_layer_a_family_names_gets_a_lora_and_no_other(sampler):
    model = copy.deepcopy(sampler.pipe.transformer)
    expected = {n for n, _ in model.named_modules() if n.endswith(sampler.family.TARGET_MODULES)}
    lora.attach(model, 2, 2, sampler.family.TARGET_MODULES, seed=0)
    assert {n for n, m in model.named_modules() if hasattr(m, "lora_A")} == expected


def test_attaching_leaves_the_random_numbers_of_the_caller_alone(tiny):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    lora.attach(tiny, 2, 2, flux.TARGET_MODULES, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_a_new_adapter_changes_nothing_in_the_whole_denoiser(sampler):
    model = copy.deepcopy(sampler.pipe.transformer)
    embeddings = sampler.family.encode_captions(sampler.pipe, ["a cat"], sampler.base)
    latents, noise, sigma = torch.randn(1, 16, 16, 16), torch.randn(1, 16, 16, 16), torch.tensor([0.5])
    with torch.no_grad():
        before = sampler.family.loss(model, latents, embeddings, noise, sigma)
        lora.attach(model, 4, 8, sampler.family.TARGET_MODULES, seed=0)
        assert torch.equal(sampler.family.loss(model, latents, embeddings, noise, sigma), before)


def test_detaching_leaves_the_base_bit_for_bit(tiny):
    before, plain = weights(tiny), predict(tiny)
    lora.detach(with_change(tiny))
    assert all(torch.equal(a, b) for a, b in zip(before, weights(tiny), strict=True))
    assert torch.equal(predict(tiny), plain) and not any("lora_" in n for n, _ in tiny.named_parameters())


def test_strength_goes_from_the_base_to_as_trained(tiny):
    plain, full = predict(tiny), predict(with_change(tiny))
    lora.set_strength(tiny, 0)
    assert torch.equal(predict(tiny), plain)
    lora.set_strength(tiny, 0.5)
    half = predict(tiny)
    assert not torch.equal(half, plain) and not torch.equal(half, full)
    lora.set_strength(tiny, 1)
    assert torch.equal(predict(tiny), full)


@pytest.mark.parametrize("strength", [1, 0.5])
@pytest.mark.parametrize("variant", lora.VARIANTS)
def test_merged_equals_live_and_unmerging_goes_back(tiny, variant, strength):
    with_change(tiny, variant=variant)
    lora.set_strength(tiny, strength)
    before, live = weights(tiny), predict(tiny)
    lora.merge(tiny)
    assert lora.is_merged(tiny)
    torch.testing.assert_close(predict(tiny), live, rtol=1e-5, atol=1e-5)
    lora.unmerge(tiny)
    torch.testing.assert_close(weights(tiny), before, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(predict(tiny), live, rtol=1e-5, atol=1e-5)


def test_a_merged_adapter_can_be_taken_off_and_its_change_stays(tiny):
    live = predict(with_change(tiny, variant="pissa"))
    lora.merge(tiny)
    lora.detach(tiny)
    torch.testing.assert_close(predict(tiny), live, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_done_is_said(tiny):
    for call in (lora.merge, lora.detach, lambda model: lora.set_strength(model, 1)):
        with pytest.raises(ValueError, match="no adapter is attached"):
            call(tiny)
    with pytest.raises(ValueError, match="not merged"):
        lora.unmerge(tiny)
    with pytest.raises(ValueError, match="'lokr'; expected one of plain"):
        lora.attach(tiny, 4, 4, flux.TARGET_MODULES, 0, "lokr")
    lora.merge(with_change(tiny))
    with pytest.raises(ValueError, match="merged already"):
        lora.merge(tiny)
    with pytest.raises(ValueError, match="unmerge it first"):
        lora.set_strength(tiny, 0.5)


def test_an_adapter_that_is_no_number_is_not_merged(tiny):
    next(iter(lora.trainable_parameters(with_change(tiny)).values())).data.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        lora.merge(tiny)


def test_rslora_scales_by_the_root_of_the_rank(tiny):
    layers = []
    for variant in ("plain", "rslora"):
        model = with_change(copy.deepcopy(tiny), rank=4, alpha=8, variant=variant)
        layers.append(model.transformer_blocks[0].attn.to_q)
    assert layers[0].scaling["default"] == 8 / 4 and layers[1].scaling["default"] == 8 / 4**0.5
    torch.testing.assert_close(
        layers[1].get_delta_weight("default"), 2 * layers[0].get_delta_weight("default")
    )


def test_dora_learns_the_length_of_every_row_as_well(tiny):
    plain = copy.deepcopy(tiny)
    lora.attach(plain, 4, 4, flux.TARGET_MODULES, 0)
    lora.attach(tiny, 4, 4, flux.TARGET_MODULES, 0, "dora")
    more = set(lora.trainable_parameters(tiny)) - set(lora.trainable_parameters(plain))
    rows = sum(m.out_features for m in plain.modules() if hasattr(m, "lora_A"))
    assert all("magnitude" in name for name in more)
    assert lora.count_parameters(tiny)[0] - lora.count_parameters(plain)[0] == rows


def test_pissa_starts_from_the_strongest_directions_of_the_base(tiny):
    whole, plain = tiny.transformer_blocks[0].attn.to_q.weight.detach().clone(), predict(tiny)
    lora.attach(tiny, 4, 4, flux.TARGET_MODULES, 0, "pissa")
    layer = tiny.transformer_blocks[0].attn.to_q
    expected = torch.linalg.svdvals(whole)
    torch.testing.assert_close(torch.linalg.svdvals(layer.get_delta_weight("default"))[:4], expected[:4])
    torch.testing.assert_close(torch.linalg.svdvals(layer.base_layer.weight)[:-4], expected[4:])
    torch.testing.assert_close(predict(tiny), plain, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="load the base again"):
        lora.detach(tiny)


@pytest.mark.parametrize("rank", [1, 4])
def test_the_size_on_paper_is_the_size_that_is_attached(tiny, rank):
    size = lora.adapter_size(tiny, rank, flux.TARGET_MODULES)
    lora.attach(tiny, rank, rank, flux.TARGET_MODULES, 0)
    trained, total = lora.count_parameters(tiny)
    assert (size.trainable, size.frozen) == (trained, total - trained)
    assert size.layers == sum(hasattr(m, "lora_A") for m in tiny.modules())


def test_the_file_on_paper_is_the_file_that_is_written(sampler, tmp_path):
    model = copy.deepcopy(sampler.pipe.transformer)
    size = lora.adapter_size(model, 4, sampler.family.TARGET_MODULES)
    lora.attach(model, 4, 4, sampler.family.TARGET_MODULES, 0)
    model.save_lora_adapter(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == pytest.approx(size.megabytes() * 1e6, rel=0.05)


def test_flux1_dev_is_counted_at_its_real_size_without_its_memory():
    with torch.device("meta"):
        model = FluxTransformer2DModel(guidance_embeds=True)
    size = lora.adapter_size(model, 16, flux.TARGET_MODULES)
    assert size.frozen == 11_901_408_320  # as the published weights have it: 23.8 GB in bfloat16
    assert size.layers == 19 * 12 + 38 * 5 + 1  # and the way out
    double, single = (
        8 * 2 + 2 * 2 * 5,
        3 * 2 + (1 + 4) + (5 + 1),
    )  # in widths of 3072: both sides of every layer
    assert size.trainable == 16 * ((19 * double + 38 * single) * 3072 + 3072 + 64)
    assert size.megabytes(16) == size.trainable * 2 / 1e6 and size.share < 0.006


def test_what_cannot_be_counted_is_an_error(tiny):
    with pytest.raises(ValueError, match="no layer is called to_z"):
        lora.adapter_size(tiny, 4, ("to_z",))
    with pytest.raises(ValueError, match="attn is a FluxAttention; only linear"):
        lora.adapter_size(tiny, 4, ("attn",))


def test_a_unet_is_attached_counted_and_merged_as_well():
    torch.manual_seed(0)
    model = UNet2DConditionModel(
        block_out_channels=(8, 8),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        layers_per_block=1,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=6,
        attention_head_dim=2,
        sample_size=8,
    ).eval()
    targets = ("to_q", "to_k", "to_v", "to_out.0")
    size = lora.adapter_size(model, 2, targets)
    given = torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 3, 6)
    with torch.no_grad():
        plain = model(*given).sample
        lora.attach(model, 2, 2, targets, 0)
        assert lora.count_parameters(model)[0] == size.trainable
        assert torch.equal(model(*given).sample, plain)
        for name, p in lora.trainable_parameters(model).items():
            p.data += 0.1 * ("lora_B" in name)
        live = model(*given).sample
        lora.merge(model)
        assert not torch.allclose(live, plain, atol=1e-4)
        torch.testing.assert_close(model(*given).sample, live, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", lora.VARIANTS)
def test_strength_is_a_factor_on_each_variants_own_scale(tiny, variant):
    layer = with_change(tiny, rank=4, alpha=8, variant=variant).transformer_blocks[0].attn.to_q
    full = layer.scaling["default"]
    for strength in (0.5, 2, 1):  # each from as trained, not from the one before
        lora.set_strength(tiny, strength)
        assert layer.scaling["default"] == pytest.approx(strength * full)


def test_merging_in_half_precision_loses_a_small_change(tiny):
    model = with_change(tiny.bfloat16())
    for p in lora.trainable_parameters(model).values():
        p.data *= 0.01
    layer = model.transformer_blocks[0].attn.to_q
    before, change = layer.base_layer.weight.float(), layer.get_delta_weight("default").float()
    lora.merge(model)
    arrived = layer.base_layer.weight.float() - before
    assert (arrived - change).norm() > 0.5 * change.norm()
