"""Is what it draws what was asked for?

`python -m pocket.evaluate` draws random prompts and finds the nearest concept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import FluxPipeline
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.pixels import to_square
from pocket import clip, corpus, scenes, things, vae
from pocket.judges import JUDGES, judge_pairs, judge_single
from pocket.tokenizer import LONGEST
from pocket.weights import CLIP, MODEL, SCHNELL

PEOPLE = (
    "a ruler",
    "a king",
    "a doctor",
    "a family",
)  # a person looks at these pictures; nothing measures them
Judge = Callable[[list[Image.Image], list[scenes.Scene], str], dict[str, int]]
Tables = dict[str, dict[str, dict[str, int]]]  # {title: {column: {measure: value}}}


@dataclass(frozen=True)
class Guidance:
    """How a pipeline is guided: by its guidance input, and by true CFG where that is above 1."""

    scale: float
    true_cfg: float = 1.0


def single_prompts(count: int, seed: int) -> list[scenes.Scene]:
    """Return so many single-concept scenes of things.txt, no concept twice."""
    rng = np.random.default_rng(seed)
    prompts = []
    for name in rng.choice([thing.names[0] for thing in things.things()], count, replace=False):
        scene = scenes.random_scene(rng, plain=True)
        while name not in scenes.vocabulary(scene.style):  # not everything has a silhouette
            scene = scenes.random_scene(rng, plain=True)
        prompts.append(scenes.Scene((str(name),), scene.style, scene.ground))
    return prompts


def pair_prompts(count: int, seed: int) -> list[scenes.Scene]:
    """Return so many scenes of two concepts in a relation."""
    rng = np.random.default_rng(seed)
    candidates = (scenes.random_scene(rng) for _ in range(100 * count))
    return [replace(scene, manner="", frame=False) for scene in candidates if scene.relation][:count]


def draw(
    pipe: FluxPipeline, prompts: list[str], seed: int, guidance: Guidance, steps: int = 20
) -> list[Image.Image]:
    """Return a picture of each prompt, with seeds `seed`, `seed` + 1 and so on."""
    pipe.set_progress_bar_config(disable=True)
    extra = {}
    if guidance.true_cfg > 1:
        extra = {"negative_prompt": [""] * len(prompts), "true_cfg_scale": guidance.true_cfg}
    return pipe(
        prompt=prompts,
        height=128,
        width=128,
        num_inference_steps=steps,
        guidance_scale=guidance.scale,
        max_sequence_length=LONGEST,
        generator=[torch.Generator().manual_seed(seed + i) for i in range(len(prompts))],
        **extra,
    ).images


def draw_scenes(
    pipe: FluxPipeline, prompts: list[scenes.Scene], guidance: Guidance, steps: int = 20
) -> list[Image.Image]:
    """Return a picture of each scene's full wording, seeds 1000 and up."""
    captions = [scenes.clear_caption(scene) for scene in prompts]
    images = []
    for k in range(0, len(captions), 20):
        images += draw(pipe, captions[k : k + 20], 1000 + k, guidance, steps)
    return images


def seconds(pipe: FluxPipeline, count: int, guidance: Guidance, steps: int = 20) -> float:
    """Return the best of three times for so many pictures drawn together."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        draw(pipe, ["a cat"] * count, 0, guidance, steps)
        times.append(time.perf_counter() - start)
    return round(min(times), 2)


def clip_accuracy(test_sets: dict[str, tuple[list[str], np.ndarray]]) -> dict[str, str]:
    """Return for each kind of pictures how many are nearer to their own caption than to all others, by
    pocket-clip.
    """
    model, tokenizer = CLIPModel.from_pretrained(CLIP).float(), CLIPTokenizer.from_pretrained(CLIP)
    accuracy = {}
    for kind, (captions, pictures) in test_sets.items():
        name = f"pocket-clip, own caption first of {len(captions)}, {kind}"
        accuracy[name] = f"{clip.top1_accuracy(model, tokenizer, captions, pictures):.0%}"
    return accuracy


def psnr(pipe: FluxPipeline, pictures: np.ndarray) -> float:
    """Return the VAE's mean decibels over (n, 128, 128, 3) uint8 pictures, rounded."""
    return round(vae.psnr(pipe.vae, vae.to_pixels(pictures)), 2)


def contact_sheet(pictures: list[Image.Image], columns: int = 20, cell: int = 96) -> Image.Image:
    sheet = Image.new("RGB", (columns * cell, -(-len(pictures) // columns) * cell))
    for i, image in enumerate(pictures):
        small = image.resize((cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(small, (i % columns * cell, i // columns * cell))
    return sheet


def paint_through_vae(pipe: FluxPipeline, prompts: list[scenes.Scene]) -> list[Image.Image]:
    """Return the corpus's own pictures of scenes after the VAE's encoder and decoder: the best that is
    possible.
    """
    rng = np.random.default_rng(7)
    pictures = np.stack([scenes.paint(scene, rng) for scene in prompts])
    chunks = range(0, len(pictures), 50)
    return [image for k in chunks for image in through_vae(pipe, pictures[k : k + 50])]


@torch.inference_mode()
def through_vae(pipe: FluxPipeline, pictures: np.ndarray) -> list[Image.Image]:
    """Return (n, h, w, 3) uint8 pictures, encoded and decoded."""
    pixels = pipe.image_processor.preprocess([Image.fromarray(p) for p in pictures])
    decoded = pipe.vae.decode(pipe.vae.encode(pixels).latent_dist.mode()).sample
    return pipe.image_processor.postprocess(decoded)


def compare_with_painted(
    pipe: FluxPipeline, images: list[Image.Image], prompts: list[scenes.Scene], judge: Judge
) -> dict[str, dict[str, int]]:
    """Return a column for the drawn pictures and one for the corpus's own, by each network."""
    painted = paint_through_vae(pipe, prompts)
    columns: dict[str, dict[str, int]] = {}
    for network in JUDGES:
        columns[f"drawn, by {network}"] = judge(images, prompts, network)
        columns[f"painted, by {network}"] = judge(painted, prompts, network)
    return columns


def clip_facts(prompts: list[scenes.Scene], images: list[Image.Image]) -> dict[str, str]:
    """Return what pocket-clip says about held-out drawings and about pocket's own pictures."""
    captions = [clip.plain_caption(scene) for scene in prompts]
    return clip_accuracy(
        {
            "drawings of this corpus that it was never shown": clip.test_set(corpus.STYLES),
            "drawings of another maker": clip.test_set(("noto",)),
            "drawn by pocket": (captions, np.stack([np.asarray(image) for image in images])),
        }
    )


def vae_facts(pipe: FluxPipeline, paintings: Path | None) -> dict[str, float]:
    """Return the VAE's decibels on new scenes, and on a folder of paintings where there is one."""
    rng = np.random.default_rng(99)
    new_scenes = np.stack([scenes.paint(scenes.random_scene(rng), rng) for _ in range(100)])
    facts = {"VAE on 100 new scenes, dB": psnr(pipe, new_scenes)}
    if paintings:
        images = [to_square(Image.open(path).convert("RGB"), 128) for path in sorted(paintings.glob("*.jpg"))]
        name = f"VAE on {len(images)} pictures of {paintings.name}, dB"
        facts[name] = psnr(pipe, np.stack([np.asarray(image) for image in images]))
    return facts


def save_sheet(images: list[Image.Image], name: str, columns: int = 20) -> None:
    contact_sheet(images, columns).save(corpus.HERE / name, quality=72, method=6)


ABOUT = (
    "Prompts are chosen by a seed: concept, style, ground and relation at random. A picture is compared "
    "with every concept's drawings on white, the very drawings pocket-flux was trained on: this asks "
    "whether it draws what was asked for, not whether it draws anything new. EfficientNet-lite0's first "
    "blocks also served in the VAE's loss; EfficientNet-lite2 had no part in any training. *Painted* is "
    "the corpus's own picture of the same prompt, encoded and decoded by the VAE: the most that can be "
    "hoped for. Style is read by a linear probe on the same features, fitted to 1,200 of the corpus's "
    "pictures of other things; of a pair, each thing's part of the picture is judged alone."
)


def table(title: str, columns: dict[str, dict[str, int]]) -> str:
    """Return a Markdown section: a row for each measure."""
    measures = list(next(iter(columns.values())))
    head = "| measure | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|"
    rows = [f"| {m} | " + " | ".join(str(c[m]) for c in columns.values()) + " |" for m in measures]
    return "\n".join([f"## {title}\n", head, *rows])


def page(tables: Tables, facts: dict[str, object]) -> str:
    """Return EVALUATION.md: every figure of this run, with date and versions."""
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}, {date.today().isoformat()}"
    facts_rows = [f"| {name} | {value} |" for name, value in facts.items()]
    pictures = [
        "![every picture of one thing of this evaluation, in order, none left out](evaluation.webp)",
        "![every pair, in order](evaluation_pairs.webp)",
    ]
    if SCHNELL.exists():
        pictures.append("![the things again, by pocket-schnell in four steps](evaluation_schnell.webp)")
    people = f"A row each for {', '.join(PEOPLE)}, with seeds 0 to 9 and nothing else in the prompt."
    parts = [
        "# What pocket-flux can draw",
        f"Written by `python -m pocket.evaluate`; not edited by hand. {versions}.",
        *(table(title, columns) for title, columns in tables.items()),
        "## The rest",
        "\n".join(["| measure | value |", "|---|---|", *facts_rows]),
        ABOUT,
        *pictures,
        f"## People\n\n{people}",
        "![four rows of ten pictures](evaluation_people.webp)",
    ]
    return "\n\n".join(parts) + "\n"


def evaluate(
    count: int, pairs: int, seed: int, guidance: Guidance, paintings: Path | None
) -> tuple[Tables, dict[str, object]]:
    """Return the tables and the single figures, and save the sheets of every picture drawn."""
    start = time.perf_counter()
    pipe = FluxPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    facts: dict[str, object] = {"loading, s": round(time.perf_counter() - start, 2)}
    single, double = single_prompts(count, seed), pair_prompts(pairs, seed)
    facts["four pictures, 20 steps, s"] = seconds(pipe, 4, guidance)
    single_images, pair_images = (draw_scenes(pipe, prompts, guidance) for prompts in (single, double))
    one_thing = compare_with_painted(pipe, single_images, single, judge_single)
    two_things = compare_with_painted(pipe, pair_images, double, judge_pairs)
    if SCHNELL.exists():
        schnell = Sampler("pocket-schnell").pipe
        unguided = Guidance(guidance.scale)
        facts["one picture with pocket-schnell, 4 steps, s"] = seconds(schnell, 1, unguided, steps=4)
        four_step_images = draw_scenes(schnell, single, unguided, steps=4)
        save_sheet(four_step_images, "evaluation_schnell.webp")
        for network in JUDGES:
            one_thing[f"in four steps, by {network}"] = judge_single(four_step_images, single, network)
    if CLIP.exists():
        facts |= clip_facts(single, single_images)
    facts |= {"guidance scale": guidance.scale, "true CFG scale": guidance.true_cfg}
    facts |= vae_facts(pipe, paintings)
    save_sheet(single_images, "evaluation.webp")
    save_sheet(pair_images, "evaluation_pairs.webp")
    people = [image for prompt in PEOPLE for image in draw(pipe, [prompt] * 10, 0, guidance)]
    save_sheet(people, "evaluation_people.webp", columns=10)
    title = f"One thing, {count} prompts, {len(scenes.vocabulary())} concepts"
    return {title: one_thing, "Two things": two_things}, facts


def compare(folders: list[Path], count: int, seed: int, guidance: Guidance) -> Tables:
    """Return what several folders of weights draw of the same prompts, a column each."""
    prompts = single_prompts(count, seed)
    columns: dict[str, dict[str, int]] = {}
    for folder in folders:
        pipe = FluxPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        images = draw_scenes(pipe, prompts, guidance)
        columns |= {f"{folder}, {network}": judge_single(images, prompts, network) for network in JUDGES}
    return {f"One thing, {count} prompts": columns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--true-cfg", type=float, default=1.0)
    parser.add_argument("--paintings", type=Path, help="a folder of pictures to encode and decode")
    parser.add_argument("--compare", type=Path, nargs="+", help="only compare these folders of weights")
    o = parser.parse_args()
    torch.set_num_threads(2)
    if o.compare:
        print(json.dumps(compare(o.compare, o.count, o.seed, Guidance(o.guidance, o.true_cfg)), indent=1))
        return
    tables, facts = evaluate(o.count, o.pairs, o.seed, Guidance(o.guidance, o.true_cfg), o.paintings)
    print(json.dumps(tables | facts, indent=1))
    (corpus.HERE / "EVALUATION.md").write_text(page(tables, facts))


if __name__ == "__main__":
    main()
