"""Train pocket-clip, a CLIPModel whose text tower is the pipeline's own.

`python -m pocket.clip --minutes 12` after assemble.
The text tower stays as it is; a small vision transformer and the two projections learn which caption belongs
to which picture. Noto's drawings, and a sixth of all others, are held out: the model is tested on them.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
)

from pocket import corpus, scenes
from pocket.muon import optimizers, set_rates
from pocket.timing import Clock
from pocket.training import apply_gradients, autocast
from pocket.vae import to_pixels
from pocket.weights import CLIP, MODEL, write_checksums

STATE = corpus.CACHE / "clip.pt"
IMAGE_SIZE = 64  # px, the side of the vision transformer's input
MATRICES = ("vision_model.encoder", "projection")
STYLES = (*corpus.STYLES, "twemoji")
HELD_OUT = 1 / 6


def is_held_out(concept: str, style: str) -> bool:
    """Return whether this drawing is kept from training; the same ones on every machine."""
    return style == "noto" or zlib.crc32(f"{concept} {style}".encode()) % 1000 < 1000 * HELD_OUT


def new_model(text: CLIPTextModel) -> CLIPModel:
    """Return a CLIPModel with an untrained vision tower beside a trained text tower."""
    vision = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_SIZE,
        patch_size=8,
        projection_dim=256,
    )
    # _name_or_path is a path of this machine.
    config = {key: value for key, value in text.config.to_dict().items() if key != "_name_or_path"}
    model = CLIPModel(CLIPConfig(text_config=config, vision_config=vision.to_dict(), projection_dim=256))
    tower = text.text_model if hasattr(text, "text_model") else text
    model.text_model.load_state_dict(tower.state_dict())
    model.text_model.requires_grad_(False)
    return model


def load_or_new() -> CLIPModel:
    """Return the model of the last run, or an untrained one."""
    model = new_model(
        CLIPTextModel.from_pretrained(MODEL, subfolder="text_encoder", torch_dtype=torch.float32)
    )
    if STATE.exists():
        model.load_state_dict(torch.load(STATE, weights_only=True))
    return model


def pixel_values(pictures: np.ndarray) -> Tensor:
    """Return (n, 3, IMAGE_SIZE, IMAGE_SIZE) in -1 .. 1 of (n, h, w, 3) uint8."""
    return nn.functional.interpolate(to_pixels(pictures), (IMAGE_SIZE, IMAGE_SIZE), mode="area")


def random_scene(rng: np.random.Generator, styles: tuple[str, ...], held_out: bool) -> scenes.Scene:
    """Return a scene of drawings that are all held out, or all not."""
    while True:
        scene = scenes.random_scene(rng, plain=held_out)
        scene = replace(scene, style=str(rng.choice(styles)))
        names = scenes.vocabulary(scene.style)
        if all(c in names and is_held_out(c, scene.style) == held_out for c in scene.concepts):
            return scene


def training_caption(scene: scenes.Scene, rng: np.random.Generator) -> str:
    """Return a caption; a maker's drawing has no style of the captions' and counts as flat."""
    return scenes.caption(scene if scene.style in corpus.STYLES else replace(scene, style="flat"), rng)


def plain_caption(scene: scenes.Scene) -> str:
    """Return things and ground; a maker's drawing has no style of the captions'."""
    return f"{scenes.things_phrase(scene)} {scenes.ground_phrase(scene.ground)}"


def test_set(styles: tuple[str, ...], count: int = 200, seed: int = 5) -> tuple[list[str], np.ndarray]:
    """Return captions and pictures of so many different concepts in held-out drawings, on random grounds."""
    rng = np.random.default_rng(seed)
    by_concept: dict[str, scenes.Scene] = {}
    while len(by_concept) < count:
        scene = random_scene(rng, styles, held_out=True)
        by_concept.setdefault(scene.concepts[0], scene)
    captions = [plain_caption(scene) for scene in by_concept.values()]
    return captions, np.stack([scenes.paint(scene, rng) for scene in by_concept.values()])


@torch.no_grad()
def top1_accuracy(
    model: CLIPModel, tokenizer: CLIPTokenizer, captions: list[str], pictures: np.ndarray
) -> float:
    """Return the share of pictures whose own caption is the nearest of all."""
    tokens = tokenizer(captions, padding=True, return_tensors="pt")
    nearest = model(pixel_values=pixel_values(pictures), **tokens).logits_per_image.argmax(1)
    return (nearest == torch.arange(len(captions))).float().mean().item()


def training_scenes(count: int, seed: int = 3) -> tuple[Tensor, list[scenes.Scene]]:
    """Return so many scenes of drawings to train on and their pixels, (n, 3, IMAGE_SIZE, IMAGE_SIZE) half
    precision.

    They are painted once and kept in the cache.
    """
    pictures, descriptions = corpus.CACHE / "clip_pictures.pt", corpus.CACHE / "clip_scenes.json"
    if not pictures.exists():
        rng = np.random.default_rng(seed)
        painted = [random_scene(rng, STYLES, held_out=False) for _ in range(count)]
        torch.save(torch.cat([pixel_values(scenes.paint(s, rng)[None]).half() for s in painted]), pictures)
        descriptions.write_text(scenes.dump(painted))
    return torch.load(pictures, weights_only=True), scenes.restore(descriptions.read_text())


def augment(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Return pictures moved by up to 6 px, half of them mirrored, brighter or darker, against learning
    pixels.
    """
    dx, dy = rng.integers(-6, 7, 2)
    padded = nn.functional.pad(pixels, (6, 6, 6, 6), mode="replicate")
    moved = padded[:, :, 6 + dy : 6 + dy + IMAGE_SIZE, 6 + dx : 6 + dx + IMAGE_SIZE]
    light = torch.from_numpy(rng.normal(1, 0.15, (len(pixels), 3, 1, 1))).float()
    is_mirrored = torch.from_numpy(rng.random(len(pixels)) < 0.5)[:, None, None, None]
    return torch.where(is_mirrored, moved.flip(3), moved) * light


def train(minutes: float, count: int, batch: int, peak: float, seed: int = 0) -> CLIPModel:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures, all_scenes = training_scenes(count)
    can_augment = np.array([not s.relation for s in all_scenes])  # in a mirror, left becomes right
    tokenizer = CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    tests = {"other drawings": test_set(corpus.STYLES), "another maker's": test_set(("noto",))}
    model = load_or_new()
    trainable = [p for p in model.parameters() if p.requires_grad]
    opts = optimizers(model, MATRICES, peak, 2e-3)
    clock, step = Clock(60 * minutes), 0
    while (share := clock.share()) < 1:
        set_rates(opts, min(1, (step + 1) / 100, 1.01 - share))
        picks = rng.choice(len(all_scenes), batch, replace=False)
        captions = [training_caption(all_scenes[i], rng) for i in picks]
        tokens = tokenizer(captions, padding=True, return_tensors="pt")
        real = pictures[picks].float()
        pixels = torch.where(
            torch.from_numpy(can_augment[picks])[:, None, None, None], augment(real, rng), real
        )
        with autocast():
            loss = model(pixel_values=pixels, **tokens, return_loss=True).loss
        loss.backward()
        nn.utils.clip_grad_norm_(trainable, 1.0)
        apply_gradients(opts)
        step += 1
        if clock.is_report_due() or share > 0.999:
            torch.save(model.state_dict(), STATE)
            accuracy = {name: f"{top1_accuracy(model, tokenizer, *test):.0%}" for name, test in tests.items()}
            print(f"step {step} {share:.0%} loss {loss.item():.3f} nearest of 200: {accuracy}", flush=True)
    torch.save(model.state_dict(), STATE)
    print(json.dumps({name: top1_accuracy(model, tokenizer, *test) for name, test in tests.items()}))
    return model


def save(model: CLIPModel) -> None:
    """Write the stock folder that CLIPModel and CLIPProcessor read."""
    model.half().save_pretrained(CLIP, safe_serialization=True)
    CLIPTokenizer.from_pretrained(MODEL / "tokenizer").save_pretrained(CLIP)
    CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE},
        crop_size=IMAGE_SIZE,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        resample=Image.Resampling.BOX,
    ).save_pretrained(CLIP)
    write_checksums(CLIP)
    print(f"{CLIP}: {sum(p.stat().st_size for p in CLIP.iterdir()) / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--count", type=int, default=30000, help="scenes to paint")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    o = parser.parse_args()
    torch.set_num_threads(2)
    save(train(o.minutes, o.count, o.batch, o.peak))


if __name__ == "__main__":
    main()
