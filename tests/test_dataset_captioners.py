"""Captioning models, tried in miniature: tiny ones of the real classes, random weights,
loaded by the real code.
"""

import dataclasses
import gc

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from lessons_lib.dataset import captioners, dataset
from lessons_lib.models import features

WORDS = [
    "<pad>", "<s>", "</s>", "<unk>", "<mask>", "<image>", "a", "tiger", "in", "the", "garden", "[DEC]",
    "[SEP]", "[CLS]",
]  # fmt: skip
PICTURE = Image.new("RGB", (64, 64), (200, 40, 40))


def word_tokenizer(**special):
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        **special,
    )


def small_blip(folder):
    from transformers import (
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessorPil,
        BlipProcessor,
        BlipTextConfig,
        BlipVisionConfig,
    )

    text = BlipTextConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        encoder_hidden_size=32,
        intermediate_size=32,
        projection_dim=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        sep_token_id=2,
    )
    vision = BlipVisionConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    BlipForConditionalGeneration(
        BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict())
    ).save_pretrained(folder)
    BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), word_tokenizer()).save_pretrained(
        folder
    )


def small_florence(folder):
    from transformers import (
        BartConfig,
        CLIPImageProcessorPil,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
        Florence2VisionConfig,
    )

    vision = Florence2VisionConfig(
        depths=(1, 1),
        patch_size=(7, 3),
        patch_stride=(4, 2),
        patch_padding=(3, 1),
        patch_prenorm=(False, True),
        embed_dim=(16, 32),
        num_heads=(2, 2),
        num_groups=(2, 2),
        window_size=4,
        projection_dim=32,
    )
    text = BartConfig(
        vocab_size=len(WORDS),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    config = Florence2Config(text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_id=5)
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer = word_tokenizer(extra_special_tokens={"image_token": "<image>"})
    pixels = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    pixels.image_seq_length = 64 + 1
    Florence2Processor(pixels, tokenizer).save_pretrained(folder)


@pytest.mark.parametrize(("name", "build"), [("blip", small_blip), ("florence-2", small_florence)])
def test_a_model_of_the_real_class_describes_a_picture_and_is_named(tmp_path, monkeypatch, name, build):
    torch.manual_seed(0)
    build(tmp_path)
    row = dataclasses.replace(captioners.CAPTIONERS[name], repository=str(tmp_path))
    monkeypatch.setitem(captioners.CAPTIONERS, name, row)
    (draft,) = captioners.describe([PICTURE], name)
    assert draft.by == str(tmp_path) and set(draft.text.split()) <= set(WORDS)
    left = [o for o in gc.get_objects() if type(o).__name__.endswith("ForConditionalGeneration")]
    assert not left  # a training that follows needs the memory


def test_a_caption_is_made_on_a_second_device(device, tmp_path, monkeypatch):
    small_blip(tmp_path)
    row = dataclasses.replace(captioners.CAPTIONERS["blip"], repository=str(tmp_path))
    monkeypatch.setitem(captioners.CAPTIONERS, "blip", row)
    assert captioners.describe([PICTURE], "blip")[0].by == str(tmp_path)


def test_a_name_that_is_none_lists_those_there_are():
    with pytest.raises(ValueError, match="choose one of tags, florence-2"):
        captioners.describe([PICTURE], "gpt")


@pytest.mark.parametrize("by", ["tags", "blip"])
def test_without_pictures_nothing_is_downloaded_and_nothing_is_wrong(monkeypatch, by):
    monkeypatch.setattr(captioners, "_load_model", lambda repository: pytest.fail("a model was loaded"))
    assert captioners.describe([], by) == []


def test_a_model_that_cannot_be_downloaded_says_so(monkeypatch):
    row = dataclasses.replace(captioners.CAPTIONERS["blip"], repository="/nowhere/at/all")
    monkeypatch.setitem(captioners.CAPTIONERS, "blip", row)
    with pytest.raises(OSError):
        captioners.describe([PICTURE], "blip")


def test_tags_name_two_things_pocket_knows(drawings):
    drafts = captioners.describe(drawings)
    assert len(drafts) == len(drawings) and {d.by for d in drafts} == {"tags"}
    names = set(features.load_concepts()[0])
    assert all(set(d.text.split(" and ")) <= names for d in drafts)


@pytest.fixture
def drawings():
    paintings = dataset.read("data/sample_mughal").pictures[:4]
    return [p.image for p in paintings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A painting of a man on a horse.", "a man on a horse"),
        ("This image shows an illustration of two birds", "two birds"),
        ("The image depicts a beautiful Mughal miniature painting showing a queen.", "a queen"),
        ("a tiger under a tree", "a tiger under a tree"),
        ("a picture frame on a wall", "a picture frame on a wall"),
    ],
)
def test_openings_that_name_a_style_are_cut(text, expected):
    assert captioners.strip_style(text) == expected
