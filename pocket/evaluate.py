"""Is what it draws what was asked for? `python -m pocket.evaluate` draws random prompts and finds the nearest concept."""

from __future__ import annotations

import argparse
import json
from datetime import date

import diffusers
import numpy as np
import torch
from diffusers import FluxPipeline
from PIL import Image
from torch import Tensor

from lessons_lib.measure import features
from pocket import assemble, corpus, scenes, vae


def gallery() -> tuple[list[str], Tensor]:
    """Return every concept's name and the mean features of its drawings on white, (concepts, 1280), unit length."""
    names = scenes.vocabulary()
    rng = np.random.default_rng(0)
    rows = []
    for name in names:
        drawn = [scenes.paint(scenes.Scene((name,), style, "white"), rng) for style in corpus.STYLES]
        mean = features([Image.fromarray(d) for d in drawn]).mean(0)
        rows.append(mean / mean.norm())
    return names, torch.stack(rows)


def questions(count: int, seed: int) -> list[scenes.Scene]:
    """Return so many single-concept scenes, no concept twice."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(scenes.vocabulary(), count, replace=False)
    out = []
    for name in chosen:
        like = scenes.random_scene(rng, pairs=0)
        out.append(scenes.Scene((str(name),), like.style, like.ground))
    return out


def draw(pipe: FluxPipeline, prompts: list[str], seed: int, guidance: float, true_cfg: float) -> list[Image.Image]:
    pipe.set_progress_bar_config(disable=True)
    extra = {"negative_prompt": [""] * len(prompts), "true_cfg_scale": true_cfg} if true_cfg > 1 else {}
    return pipe(prompt=prompts, height=128, width=128, num_inference_steps=20, guidance_scale=guidance,
                max_sequence_length=32, generator=[torch.Generator().manual_seed(seed + i) for i in range(len(prompts))],
                **extra).images  # fmt: skip


def psnr(pipe: FluxPipeline, pictures: np.ndarray) -> float:
    """Return the VAE's mean decibels over (n, 128, 128, 3) uint8 pictures."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return vae.psnr(pipe.vae, pixels)


def contact_sheet(pictures: list[Image.Image], columns: int = 20, cell: int = 96) -> Image.Image:
    sheet = Image.new("RGB", (columns * cell, -(-len(pictures) // columns) * cell))
    for i, image in enumerate(pictures):
        sheet.paste(image.resize((cell, cell), Image.LANCZOS), (i % columns * cell, i // columns * cell))
    return sheet


def ranks(pictures: list[Image.Image], asked: list[scenes.Scene], names: list[str], rows: Tensor) -> np.ndarray:
    """Return each asked concept's place among all of them by likeness to its picture, (n,); 0 is first."""
    order = (features(pictures) @ rows.T).argsort(1, descending=True)
    return np.array([int((order[i] == names.index(s.concepts[0])).nonzero()) for i, s in enumerate(asked)])


def judge(pipe: FluxPipeline, count: int, seed: int, true_cfg: float) -> tuple[dict, list[Image.Image]]:
    """Return how often the drawn picture is nearest to the asked concept, and the pictures.

    The ceiling asks the same of the corpus's own pictures of these scenes, encoded and decoded by the VAE.
    """
    asked = questions(count, seed)
    prompts = [scenes.clear_caption(scene) for scene in asked]
    made = [image for start in range(0, count, 20)
            for image in draw(pipe, prompts[start : start + 20], 1000 + start, 1.0, true_cfg)]  # fmt: skip
    names, rows = gallery()
    rng = np.random.default_rng(seed)
    perfect = through_vae(pipe, np.stack([scenes.paint(scene, rng) for scene in asked]))
    own, best = ranks(made, asked, names, rows), ranks(perfect, asked, names, rows)
    grounds = [s.ground for s in asked]
    return {"prompts": count, "concepts": len(names), "right concept first": int((own == 0).sum()),
            "right concept in the first five": int((own < 5).sum()),
            "ceiling: the corpus's own pictures, in the first five": int((best < 5).sum()),
            "median rank": int(np.median(own)) + 1,
            "plain grounds": sum(g in corpus.COLOURS for g in grounds),
            "plain ground right": sum(nearest_colour(i) == g for i, g in zip(made, grounds, strict=True)
                                      if g in corpus.COLOURS)}, made  # fmt: skip


@torch.inference_mode()
def through_vae(pipe: FluxPipeline, pictures: np.ndarray) -> list[Image.Image]:
    """Return (n, h, w, 3) uint8 pictures as the VAE gives them back."""
    pixels = pipe.image_processor.preprocess([Image.fromarray(p) for p in pictures])
    back = pipe.vae.decode(pipe.vae.encode(pixels).latent_dist.mode()).sample
    return pipe.image_processor.postprocess(back)


def nearest_colour(image: Image.Image) -> str:
    """Return the corpus colour nearest to the picture's corners."""
    pixels = np.asarray(image, dtype=np.float32)
    far = pixels.shape[0] - 8
    corners = np.concatenate([pixels[y : y + 8, x : x + 8].reshape(-1, 3) for y in (0, far) for x in (0, far)])
    middle = np.median(corners, 0)
    return min(corpus.COLOURS, key=lambda name: float(np.abs(middle - np.array(corpus.COLOURS[name])).sum()))


def write_page(result: dict) -> None:
    """Write EVALUATION.md: every figure of this run, with date and versions."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in result.items())
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}, {date.today().isoformat()}"
    (corpus.HERE / "EVALUATION.md").write_text(
        "# What pocket-flux can draw\n\nWritten by `python -m pocket.evaluate`; not edited by hand. "
        f"{versions}.\n\n| measure | value |\n|---|---|\n{rows}\n\n"
        "Prompts are chosen by a seed, one concept each, style and ground at random. A picture is compared with every "
        "concept's mean over its drawings on white, the very drawings pocket-flux was trained on: this asks whether it "
        "draws what was asked for, not whether it draws anything new. Features are EfficientNet-lite0's, the first "
        "blocks of which also served in the VAE's loss.\n\n"
        "![every picture of this evaluation, in order, none left out](evaluation.jpg)\n")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--true-cfg", type=float, default=3.0)
    o = parser.parse_args()
    pipe = FluxPipeline.from_pretrained(assemble.MODEL, torch_dtype=torch.float32)
    result, made = judge(pipe, o.count, o.seed, o.true_cfg)
    rng = np.random.default_rng(99)
    drawn = np.stack([scenes.paint(scenes.random_scene(rng), rng) for _ in range(100)])
    result |= {"true CFG scale": o.true_cfg, "VAE on 100 new scenes, dB": round(psnr(pipe, drawn), 2)}
    print(json.dumps(result))
    contact_sheet(made).save(corpus.HERE / "evaluation.jpg", quality=88)
    write_page(result)


if __name__ == "__main__":
    main()
