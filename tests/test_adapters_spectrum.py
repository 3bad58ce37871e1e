import copy
import io

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from PIL import Image
from torch import nn

from lessons_lib.adapters import lora, low_rank, spectrum
from lessons_lib.adapters.spectrum import LayerChange


@pytest.fixture
def learned():
    """A model of two layers whose adapter, attached by PEFT, has known factors."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"blocks": nn.ModuleList([nn.Linear(9, 7), nn.Linear(7, 9)])})
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=8, target_modules=["0", "1"]), model)
    for layer in model["blocks"]:
        nn.init.normal_(layer.lora_B["default"].weight)
    return model


def change(layer):
    return layer.get_delta_weight("default").detach()


@pytest.mark.parametrize(("outputs", "rank", "inputs"), [(20, 4, 30), (4, 8, 6), (9, 8, 5), (3, 3, 3)])
def test_a_product_is_taken_apart_without_being_formed(outputs, rank, inputs):
    down, up = torch.randn(rank, inputs), torch.randn(outputs, rank)
    left, values, right = low_rank.singular_value_decomposition(down, up)
    expected = torch.linalg.svdvals(up @ down)[:rank]
    torch.testing.assert_close(values.float(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close((left * values @ right).float(), up @ down, rtol=1e-4, atol=1e-5)


def test_layer_changes_are_those_that_peft_makes(learned):
    for layer, module in zip(spectrum.layer_changes(learned), learned["blocks"], strict=True):
        expected = torch.linalg.svdvals(change(module))[:4]
        torch.testing.assert_close(layer.singular_values, expected, rtol=1e-5, atol=1e-5)
        assert layer.norm == pytest.approx(float(change(module).norm()), rel=1e-5)
        assert layer.relative_norm == pytest.approx(
            layer.norm / float(module.base_layer.weight.norm()), rel=1e-5
        )


def test_a_layer_as_wide_as_flux_takes_no_time_and_no_memory():
    down, up = torch.randn(16, 3072), torch.randn(12288, 16)  # the product would be 150 MB
    assert low_rank.singular_value_decomposition(down, up)[1].shape == (16,)


@pytest.mark.parametrize(
    ("values", "effective"), [([3.0, 0, 0], 1.0), ([2.0, 2, 2], 3.0), ([0.0, 0, 0], 0.0)]
)
def test_the_effective_rank_counts_directions_that_are_used(values, effective):
    assert LayerChange("a", torch.tensor(values), 1.0).effective_rank == pytest.approx(effective)


def test_energy_grows_with_the_rank_and_rank_for_is_its_inverse():
    layer = LayerChange("a", torch.tensor([3.0, 2.0, 1.0]), 1.0)  # squares 9, 4, 1 of 14
    assert [layer.energy(r) for r in (0, 1, 2, 3)] == pytest.approx([0, 9 / 14, 13 / 14, 1])
    assert [layer.rank_for(share) for share in (0.0, 0.5, 0.9, 0.95, 1.0)] == [0, 1, 2, 3, 3]


def test_a_layer_that_did_not_change_needs_no_rank():
    layer = LayerChange("a", torch.zeros(3), 1.0)
    assert layer.energy(1) == 1.0 and layer.rank_for(0.9) == 0


@pytest.mark.parametrize("rank", [1, 2, 4, 9])
def test_truncated_factors_are_the_nearest_of_their_rank(rank):
    down, up = torch.randn(4, 9), torch.randn(7, 4)
    u, values, v = torch.linalg.svd(up @ down, full_matrices=False)
    nearest = u[:, :rank] * values[:rank] @ v[:rank]
    new_down, new_up = low_rank.truncated_factors(down, up, rank)
    assert new_down.shape == (min(rank, 4), 9) and new_up.shape == (7, min(rank, 4))
    torch.testing.assert_close((new_up @ new_down).float(), nearest, rtol=1e-4, atol=1e-5)


def test_truncating_a_model_leaves_so_many_directions(learned):
    before = [change(module) for module in learned["blocks"]]
    spectrum.truncate(learned, 4)
    for module, old in zip(learned["blocks"], before, strict=True):
        torch.testing.assert_close(change(module), old, rtol=1e-4, atol=1e-5)
    spectrum.truncate(learned, 2)
    for layer in spectrum.layer_changes(learned):
        assert layer.energy(2) == pytest.approx(1) and layer.energy(1) < 1


def test_rank_0_and_a_model_without_adapter_are_refused():
    with pytest.raises(ValueError, match="the rank is 0"):
        low_rank.truncated_factors(torch.randn(2, 3), torch.randn(3, 2), 0)
    with pytest.raises(ValueError, match="no layer has an adapter"):
        spectrum.layer_changes(nn.Sequential(nn.Linear(2, 2)))


def test_a_change_follows_the_strength(learned):
    full = spectrum.layer_changes(learned)[0].norm
    learned["blocks"][0].set_scale("default", 0.5)
    assert spectrum.layer_changes(learned)[0].norm == pytest.approx(full / 2)


def test_a_map_has_a_place_for_every_layer_of_the_model(sampler):
    model = copy.deepcopy(sampler.pipe.transformer)
    lora.attach(model, 4, 4, sampler.family.TARGET_MODULES, 0)
    for p in lora.trainable_parameters(model).values():
        nn.init.normal_(p)
    found = spectrum.layer_changes(model)
    kinds, blocks, table = spectrum.change_table(found)
    assert len(found) == lora.adapter_size(sampler.pipe.transformer, 4, sampler.family.TARGET_MODULES).layers
    assert (~torch.tensor(table).isnan()).sum() == len(found) and table.shape == (len(kinds), len(blocks))
    assert [spectrum.block_label(b) for b in blocks][:3] == ["double 0", "double 1", "single 0"]
    assert spectrum.block_label(blocks[-1]) == "no block"
    for shown in (spectrum.change_map(found), spectrum.spectrum_chart(found)):
        assert Image.open(io.BytesIO(shown.data)).format == "JPEG" and len(shown.data) < 60_000


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("transformer_blocks.1.attn.to_out.0", ("transformer_blocks.1", "attn.to_out.0")),
        ("down_blocks.0.attentions.1.to_q", ("down_blocks.0", "attentions.1.to_q")),
        ("proj", ("", "proj")),
    ],
)
def test_a_layer_is_placed_by_its_first_number(name, place):
    assert spectrum.split_name(name) == place
