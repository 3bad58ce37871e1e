"""The appendix on knobs: recipes, groups of blocks, tables of the recorded run."""

import pytest
import torch
from diffusers import FluxTransformer2DModel

from lessons_lib.adapters import lora
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import appendix_knobs as knobs
from lessons_lib.course import appendix_knobs_record as record
from lessons_lib.course import appendix_knobs_results as results
from lessons_lib.course import recorded
from lessons_lib.models import bases
from lessons_lib.models.families import flux

FLUX = ["transformer.transformer_blocks.0.attn.to_q", "transformer.transformer_blocks.1.ff.net.2",
        "transformer.single_transformer_blocks.0.proj_mlp",
        "transformer.single_transformer_blocks.0.attn.to_k",
        "transformer.proj_out"]  # fmt: skip


@pytest.fixture(scope="module")
def result():
    return recorded.load(record.NAME)["result"]


def test_blocks_are_grouped_by_part_and_half_and_a_single_layer_is_in_no_group():
    assert {name: len(layers) for name, layers in knobs.block_groups(FLUX).items()} == {
        "transformer_blocks, first half": 1, "transformer_blocks, second half": 1,
        "single_transformer_blocks": 2,
    }  # fmt: skip


def test_groups_come_in_the_order_of_the_network_and_have_a_title():
    groups = knobs.block_groups(sorted(FLUX))
    assert [knobs.group_title(group) for group in groups] == [
        "double blocks, first half", "double blocks, second half", "single blocks",
    ]  # fmt: skip
    assert knobs.group_title("down_blocks, first half") == "down blocks, first half"


def test_groups_of_a_unet_hold_every_layer_once():
    parts = ("down_blocks.0", "down_blocks.2", "mid_block")
    names = [f"unet.{part}.attentions.0.{layer}" for part in parts for layer in ("to_q", "to_k")]
    groups = knobs.block_groups(names)
    assert sorted(sum(groups.values(), [])) == sorted(names) and len(groups) == 3


def test_an_adapter_without_some_layers_has_the_others_as_they_were():
    adapter = Adapter({name: Factors(torch.ones(1, 2), torch.ones(2, 1), 1.0) for name in FLUX})
    fewer = knobs.without(adapter, FLUX[:1])
    assert list(fewer.layers) == FLUX[1:] and len(adapter.layers) == len(FLUX)


@pytest.mark.parametrize(
    ("caption", "short"),
    [("a king with two men in a boat", "a king"), ("a tiger beside trees, far off", "a tiger"),
     ("two doves", "two doves")],
)  # fmt: skip
def test_a_short_caption_says_who_is_there(caption, short):
    assert knobs.shorten(caption) == short


@pytest.mark.parametrize("name", knobs.RECIPES)
def test_a_recipe_resolves_and_does_something_else_than_the_standard_one(name):
    recipe, base = knobs.RECIPES[name], bases.find("pocket")
    settings = Settings(trigger="thgh96", **recipe.settings).resolve(base)
    assert settings.rank <= 32 and recipe.texts in knobs.CAPTIONS
    assert name == knobs.STANDARD or recipe != knobs.RECIPES[knobs.STANDARD]


def test_a_lokr_is_attached_to_every_target():
    model = FluxTransformer2DModel(
        num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    settings = Settings(trigger="thgh96").resolve(bases.find("pocket"))
    knobs.attach(model, settings, ["attn.to_q"], "lokr")
    names = list(lora.trainable_parameters(model))
    assert len(names) == 4 and all("lokr" in name and "to_q" in name for name in names)


def test_texts_that_are_encoded_at_each_step_come_with_the_latents_of_the_models_device(device):
    data = knobs._EncodedAnew(
        torch.ones(2, 1), {"prompt_embeds": torch.zeros(3, 1)}, device, time_ids=torch.ones(2, 6),
        texts=("a", "b", "c"), encode_texts=lambda texts: {"prompt_embeds": texts},
    )  # fmt: skip
    latents, embeddings = data.rows(torch.tensor([1]), torch.tensor([2]))
    assert latents.device.type == device.type == embeddings["time_ids"].device.type
    assert embeddings["prompt_embeds"] == ["c"]


def test_drawings_of_one_training_lie_together_and_those_of_another_recipe_elsewhere():
    standard, ema, rank = (record._folder(name, 0) for name in ("standard", "standard, EMA", "rank 11"))
    assert standard.parent == ema.parent != rank.parent and standard != ema


def test_adapters_of_one_size_are_of_one_size_and_that_is_what_was_recorded(result):
    pocket, sizes = bases.find("pocket"), {}
    config = FluxTransformer2DModel.load_config(pocket.repository, subfolder="transformer")
    for name in ("rank 11", "DoRA", "LoKr"):
        model, recipe = FluxTransformer2DModel.from_config(config), knobs.RECIPES[name]
        settings = Settings(trigger="thgh96", **recipe.settings).resolve(pocket)
        knobs.attach(model, settings, flux.TARGET_MODULES, recipe.kind)
        sizes[name] = sum(p.numel() for p in lora.trainable_parameters(model).values())
    assert max(sizes.values()) < 1.06 * min(sizes.values())
    assert {row["recipe"]: row["parameters"] for row in result["rows"] if row["recipe"] in sizes} == sizes


def test_a_table_has_a_line_a_recipe_and_the_ends(result):
    lines = results.table(result, ["standard", "rank 11"])
    assert len(lines) == 4 and lines[1].startswith("standard") and lines[-1].startswith("floor and ceiling")


def test_a_table_calls_a_recipe_what_it_is_told(result):
    assert results.table(result, {"rank 11": "small"})[1].startswith("small  0.33")


def test_measures_without_a_difference_share_one_line(result):
    *lines, last = results.verdicts(result, ["rank 11", "rate / 4"])
    assert len(lines) == 6 and all(" than standard by " in line for line in lines)
    assert last == (
        "20 drawings show no difference from standard: "
        "centres of rank 11 (-0.015 to +0.007), of rate / 4 (-0.013 to +0.007)"
    )


def test_an_interval_without_zero_says_why_it_does_not_count(result):
    (line,) = results.verdicts(result, ["constant, EMA"], "constant")
    assert line.startswith("20 drawings show no difference between constant, EMA and constant: whole (")
    assert line.endswith("moved (-0.024 to -0.003, but the trainings disagree)")
    assert line.count("disagree") == 1


def test_a_chart_shows_whole_drawings_and_centres(result):
    assert results.chart(result, {"standard": "standard", "rank 11": "rank 11"}).data[:2] == b"\xff\xd8"
