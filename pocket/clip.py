"""Train pocket-clip, a CLIPModel whose text tower is the pipeline's own. `python -m pocket.clip --minutes 12` after assemble.

The text tower stays as it is; a small vision transformer and the two projections learn which caption belongs to which picture.
Noto's drawings, and `HELD` of every six others, are never shown: the model is tried on them.
"""

from __future__ import annotations

import argparse
import json
import time
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
from pocket.assemble import write_sums
from pocket.muon import FAST, optimizers, set_rates

FOLDER = corpus.HERE / "clip"
STATE = corpus.CACHE / "clip.pt"
SEEN = 64  # px, the side at which it looks at pictures
MATRICES = ("vision_model.encoder", "projection")
STYLES = (*corpus.STYLES, "twemoji")
HELD = 1 / 6


def held_out(concept: str, style: str) -> bool:
    """Return whether this drawing is kept from training; the same ones on every machine."""
    return style == "noto" or zlib.crc32(f"{concept} {style}".encode()) % 1000 < 1000 * HELD


def fresh(text: CLIPTextModel) -> CLIPModel:
    """Return a CLIPModel with an untrained eye beside a trained text tower."""
    vision = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SEEN,
        patch_size=8,
        projection_dim=256,
    )
    # a place on this machine
    told = {key: value for key, value in text.config.to_dict().items() if key != "_name_or_path"}
    model = CLIPModel(CLIPConfig(text_config=told, vision_config=vision.to_dict(), projection_dim=256))
    model.text_model.load_state_dict(
        text.text_model.state_dict() if hasattr(text, "text_model") else text.state_dict()
    )
    model.text_model.requires_grad_(False)
    return model


def known() -> CLIPModel:
    """Return the model of the last run, or an untrained one."""
    text = CLIPTextModel.from_pretrained(
        corpus.HERE / "model", subfolder="text_encoder", torch_dtype=torch.float32
    )
    model = fresh(text)
    if STATE.exists():
        model.load_state_dict(torch.load(STATE, weights_only=True))
    return model


def look(pictures: np.ndarray) -> Tensor:
    """Return (n, 3, SEEN, SEEN) of (n, h, w, 3) uint8, mean 0.5 and spread 0.5 taken off."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return nn.functional.interpolate(pixels, (SEEN, SEEN), mode="area")


def scene_of(rng: np.random.Generator, styles: tuple[str, ...], held: bool) -> scenes.Scene:
    """Return a scene of drawings that are all held out, or all not."""
    while True:
        scene = scenes.random_scene(rng, plain=held)
        scene = replace(scene, style=str(rng.choice(styles)))
        if all(
            c in scenes.vocabulary(scene.style) and held_out(c, scene.style) == held for c in scene.concepts
        ):
            return scene


def words_of(scene: scenes.Scene, rng: np.random.Generator) -> str:
    told = replace(scene, style="flat") if scene.style not in corpus.STYLES else scene
    return scenes.caption(told, rng)


def said_plainly(scene: scenes.Scene) -> str:
    """Return things and ground; a maker's drawing has no style of the captions'."""
    return f"{scenes.things(scene)} {scenes.where(scene.ground)}"


def questions(styles: tuple[str, ...], count: int = 200, seed: int = 5) -> tuple[list[str], np.ndarray]:
    """Return captions and pictures of so many different concepts in drawings never shown, on random grounds."""
    rng, asked = np.random.default_rng(seed), {}
    while len(asked) < count:
        scene = scene_of(rng, styles, held=True)
        asked.setdefault(scene.concepts[0], scene)
    return [said_plainly(s) for s in asked.values()], np.stack([scenes.paint(s, rng) for s in asked.values()])


@torch.no_grad()
def first_place(model: CLIPModel, tokenizer: CLIPTokenizer, told: list[str], pictures: np.ndarray) -> float:
    """Return the share of pictures whose own caption is the nearest of all."""
    words = tokenizer(told, padding=True, return_tensors="pt")
    near = model(pixel_values=look(pictures), **words).logits_per_image.argmax(1)
    return (near == torch.arange(len(told))).float().mean().item()


def paint_many(count: int, seed: int = 3) -> tuple[Tensor, list[scenes.Scene]]:
    """Return so many scenes of drawings that may be seen, (n, 3, SEEN, SEEN) half precision, kept in the cache."""
    kept, said = corpus.CACHE / "clip_pictures.pt", corpus.CACHE / "clip_scenes.json"
    if not kept.exists():
        rng = np.random.default_rng(seed)
        known = [scene_of(rng, STYLES, held=False) for _ in range(count)]
        torch.save(torch.cat([look(scenes.paint(s, rng)[None]).half() for s in known]), kept)
        said.write_text(scenes.dump(known))
    return torch.load(kept, weights_only=True), scenes.restore(said.read_text())


def shaken(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Return pictures moved by up to 6 px, half of them mirrored, brighter or darker: the eye shall not learn pixels."""
    dx, dy = rng.integers(-6, 7, 2)
    moved = nn.functional.pad(pixels, (6, 6, 6, 6), mode="replicate")[
        :, :, 6 + dy : 6 + dy + SEEN, 6 + dx : 6 + dx + SEEN
    ]
    light = torch.from_numpy(rng.normal(1, 0.15, (len(pixels), 3, 1, 1))).float()
    mirrored = torch.from_numpy(rng.random(len(pixels)) < 0.5)[:, None, None, None]
    return torch.where(mirrored, moved.flip(3), moved) * light


def train(minutes: float, count: int, batch: int, peak: float, seed: int = 0) -> CLIPModel:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures, said = paint_many(count)
    plain = np.array([not s.relation for s in said])  # mirrored, left is not left of
    tokenizer = CLIPTokenizer.from_pretrained(corpus.HERE / "model" / "tokenizer")
    tried = {"other drawings": questions(corpus.STYLES), "another maker's": questions(("noto",))}
    model = known()
    learned = [p for p in model.parameters() if p.requires_grad]
    opts = optimizers(model, MATRICES, peak, 2e-3)
    start = shown = time.time()
    step = 0
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        set_rates(opts, min(1, (step + 1) / 100, 1.01 - share))
        picks = rng.choice(len(said), batch, replace=False)
        words = tokenizer([words_of(said[i], rng) for i in picks], padding=True, return_tensors="pt")
        real = pictures[picks].float()
        seen = torch.where(torch.from_numpy(plain[picks])[:, None, None, None], shaken(real, rng), real)
        with torch.autocast("cpu", FAST, enabled=FAST != torch.float32):
            loss = model(pixel_values=seen, **words, return_loss=True).loss
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        if time.time() - shown > 60 or share > 0.999:
            shown = time.time()
            torch.save(model.state_dict(), STATE)
            found = {name: f"{first_place(model, tokenizer, *asked):.0%}" for name, asked in tried.items()}
            print(
                f"step {step} {share:.0%} loss {loss.item():.3f} own caption first among 200: {found}",
                flush=True,
            )
    torch.save(model.state_dict(), STATE)
    print(json.dumps({name: first_place(model, tokenizer, *asked) for name, asked in tried.items()}))
    return model


def write(model: CLIPModel) -> None:
    """Save the stock folder that CLIPModel and CLIPProcessor read."""
    model.half().save_pretrained(FOLDER, safe_serialization=True)
    CLIPTokenizer.from_pretrained(corpus.HERE / "model" / "tokenizer").save_pretrained(FOLDER)
    CLIPImageProcessor(
        size={"shortest_edge": SEEN},
        crop_size=SEEN,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        resample=Image.Resampling.BOX,
    ).save_pretrained(FOLDER)
    write_sums(FOLDER)
    print(f"{FOLDER}: {sum(p.stat().st_size for p in FOLDER.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--count", type=int, default=30000, help="scenes to paint")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--peak", type=float, default=0.02, help="Muon's learning rate")
    o = parser.parse_args()
    torch.set_num_threads(2)
    write(train(o.minutes, o.count, o.batch, o.peak))
