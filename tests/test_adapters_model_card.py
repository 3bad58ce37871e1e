"""The model card says what the Hub wants to know, how to draw with the adapter,
and whose pictures it was trained on.
"""

from pathlib import Path

import yaml
from PIL import Image

from lessons_lib.adapters import model_card
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models import bases
from lessons_lib.paths import POCKET

SETTINGS = Settings(trigger="mugh4l", name="album", sample_prompts=('a "tiger", mugh4l',))


def picture(licence):
    rights = {"maker": "A | B", "licence": licence} if licence else {}
    return Picture(Path("/home/ann/secret/a.png"), ImageFile.of(Image.new("RGB", (64, 64))), rights)


def card(pictures):
    pocket = bases.find("pocket")
    return model_card.readme(SETTINGS.resolve(pocket), pictures, pocket)


def front(settings, base):
    return yaml.safe_load(
        model_card.readme(settings.resolve(base), [picture("CC0-1.0")], base).split("---\n")[1]
    )


def test_the_card_has_the_head_the_hub_reads():
    head = front(SETTINGS, bases.find("flux1-dev"))
    assert head["base_model"] == "black-forest-labs/FLUX.1-dev" and head["instance_prompt"] == "mugh4l"
    assert head["license"] == "other" and head["license_name"].startswith("flux-1-dev")
    assert "license_link" in head
    assert head["widget"] == [{"text": 'a "tiger", mugh4l'}] and "template:sd-lora" in head["tags"]


def test_the_card_of_pocket_names_no_folder_of_this_machine():
    text = card([picture("CC0-1.0")])
    assert "base_model" not in front(SETTINGS, bases.find("pocket"))
    assert str(POCKET) not in text and "/home/ann" not in text and ",," not in text


def test_every_base_has_a_licence_the_hub_knows():
    assert {front(SETTINGS, base)["license"] for base in bases.BASES.values()} == {
        "apache-2.0", "other", "creativeml-openrail-m", "openrail++",
    }  # fmt: skip


def test_the_card_names_the_rights_of_each_picture():
    text = card([picture("CC0-1.0")])
    assert "| a.png | unknown | A \\| B | unknown | CC0-1.0 | unknown |" in text
    assert "do not publish" not in text


def test_a_line_without_cells_in_an_edited_card_is_passed_over():
    text = card([picture("CC0-1.0")])
    assert model_card.rights_rows(f"{text}\n|\n") == model_card.rights_rows(text)


def test_the_card_warns_when_a_licence_is_not_known():
    text = card([picture("CC0-1.0"), picture(None)])
    assert "licence of 1 of these pictures is not known: **do not publish" in text


def test_the_code_on_pockets_card_draws_with_the_adapter(short_run, monkeypatch):
    monkeypatch.chdir(short_run.folder)
    code = (short_run.folder / "README.md").read_text().split("```python")[1].split("```")[0]
    names: dict = {}
    exec(code.replace('"pocket/model"', repr(str(POCKET))).replace("steps=20", "steps=2"), names)
    assert names["image"].size == (128, 128) and names["pipe"].get_active_adapters() == ["run"]


def test_the_python_on_the_card_compiles():
    for base in bases.BASES.values():
        text = model_card.readme(SETTINGS.resolve(base), [], base)
        compile(text.split("```python")[1].split("```")[0], "card", "exec")


def test_the_card_draws_with_the_arguments_of_the_bases_pipeline():
    texts = {name: model_card.readme(SETTINGS.resolve(base), [], base) for name, base in bases.BASES.items()}
    assert (
        "height=128, width=128, num_inference_steps=20, guidance_scale=3.5, max_sequence_length=48"
        in texts["pocket"]
    )
    assert "height=512, width=512, num_inference_steps=30, guidance_scale=7.5)" in texts["sd15"]
