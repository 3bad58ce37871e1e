"""How many steps are enough? One training a seed, looked at on its way. Lesson 05, with its checkers and its pictures.

`python -m lessons_lib.course.lesson_05` makes the long run that the lesson shows; with `picture` behind it,
the lesson's opening picture instead.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from IPython.display import Image as Shown
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor, nn

from lessons_lib.adapters import lora
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import long_run, trials
from lessons_lib.course.how_many_pictures import Found, measured, prompts
from lessons_lib.dataset import pictures
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display.notebook import figure_image, jpeg
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER, font, paste_square
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import pixels
from lessons_lib.models.bases import Base
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE
from lessons_lib.training import forecast, train
from lessons_lib.training.data import TrainingData
from lessons_lib.training.loop import Step

TRIGGER = "thgh96"
COUNTS = (25, 50, 100, 200, 400, 800)
ADVISED = (1000, 1500)  # steps, for FLUX.1-dev
# Hours for 700 steps of FLUX.1-dev, https://huggingface.co/blog/flux-qlora
PUBLISHED = {"H100, 8 bits": 0.33, "RTX 4090, nf4": 0.68, "free T4, nf4": 4}
OPENING = NOTEBOOK_PICTURES / "05_loop.jpg"
UNTOUCHED, RIGHT = "not attempted yet", "right"
PANELS = {"style": "style match", "prompt": "prompt kept", "nearest": "nearest learned painting"}
LEARNS = ("adapter", "gradients", "optimizer state")


def teach(
    learn: Sequence[Picture], counts: Sequence[int], seed: int, out: Path, held_out: Sequence[Picture] = ()
) -> dict[int, Run]:
    """Return one run for each count of steps, all from a single training: stopped there, copied, and taken up again.

    The learning rate stays the same after its rise, so what is kept at a count is what a training of that length gives.
    With `held_out` pictures their loss is measured at every count. Raises KeyboardInterrupt when it is stopped between.
    """
    settings = Settings(
        trigger=TRIGGER, steps=max(counts), seed=seed, lr_scheduler="constant", name="steps",
        validate_every=math.gcd(*counts), checkpoint_every=max(counts),
    )  # fmt: skip
    dataset = Dataset(list(learn), list(held_out))
    kept = {}
    with (
        tempfile.TemporaryDirectory() as place
    ):  # an older training of the same settings is not to be gone on with
        for count in sorted(counts):
            run = train.train(dataset, settings, Path(place) / "run", stop_at(count))
            if len(run.log) != count:
                raise KeyboardInterrupt
            copy = out / f"{count:04d}"
            shutil.copytree(
                run.folder, copy, ignore=shutil.ignore_patterns("checkpoints"), dirs_exist_ok=True
            )
            kept[count] = Run.load(copy)
    return kept


def stop_at(count: int) -> Callable[[Step], None]:
    """Return a watcher that ends a training after so many steps, as a stop button would."""

    def watch(news: Step) -> None:
        if news.step == count:
            raise KeyboardInterrupt

    return watch


def tell_every(steps: int) -> Callable[[Step], None]:
    """Return a watcher that prints the step and the smoothed loss now and then, coarsely, as a lesson's output must be."""

    def watch(news: Step) -> None:
        if news.step % steps == 0:
            print(f"step {news.step} of {news.steps}: loss {news.smooth_loss:.1f}")

    return watch


def row(count: int, seed: int, found: Found, validation: float | None = None) -> long_run.Row:
    """Return what was measured after so many steps, 0 for the base."""
    return {"count": count, "seed": seed, "validation": validation} | asdict(found)


def sweep(
    drawn: Mapping[int, Sequence[Image.Image]], runs: Mapping[int, Run], subjects: Sequence[str], learned: Tensor,
    held_out: Tensor, batch: int,
) -> dict[str, Any]:  # fmt: skip
    """Return a sweep as the long run records it, of one training: pictures by count, 0 for the base, and its runs by count.

    `learned` and `held_out` are features of paintings, (n, 1280). The floor is the base's pictures, asked the same.
    """
    found = {count: measured(images, subjects, learned, held_out) for count, images in drawn.items()}
    held = {count: run.log[-1].get("validation") for count, run in runs.items()}
    return {
        "rows": [row(count, 0, values, held.get(count)) for count, values in found.items()],
        "counts": list(drawn), "batch": batch, "pictures": len(learned), "own": own(learned, held_out),
        "floor": float(np.mean(found[0].style)), "ceiling": metrics.style_match(learned, held_out),
    }  # fmt: skip


def own(learned: Tensor, held_out: Tensor) -> list[float]:
    """Return how near each held-out painting comes to a learned one: as alike as paintings of this style are anyway."""
    return trials.rounded((held_out @ learned.T).amax(1))


def best(result: Mapping[str, Any]) -> int:
    """Return the count, of those that were trained, whose pictures match the style most."""
    return max(
        result["counts"][1:], key=lambda n: trials.mean(trials.column(result["rows"], "style", count=n))
    )


def beside(
    result: Mapping[str, Any], key: str, what: str, first: int, second: int, figures: bool = True
) -> str:
    """Return a sentence that compares two counts in one of `PANELS`; 0 is the base."""
    one, other = (f"{count} steps" if count else "the base" for count in (first, second))
    a, b = (trials.column(result["rows"], key, count=count) for count in (first, second))
    return trials.verdict(what, one, other, a, b, figures=figures)


def enough(result: Mapping[str, Any]) -> int | None:
    """Return the fewest steps whose style cannot be told from the best; None when the best cannot be told from the base."""
    top = best(result)
    if " higher " not in beside(result, "style", "", top, 0):
        return None
    return next(n for n in result["counts"][1:] if " lower " not in beside(result, "style", "", n, top))


def advice(result: Mapping[str, Any]) -> str:
    """Return a sentence on the advice of 1000 to 1500 steps, which counts batches of one picture."""
    found, last = enough(result), result["counts"][-1]
    if found is None:
        return "enough for the style: no count can be told from the base, so nothing follows for the advice"
    looks = found * result["batch"] / result["pictures"]
    told = f"enough for the style: {found} steps, {looks:g} looks at each painting"
    if found == last:
        return f"{told}, the most that was tried; more might do better"
    low, high = ADVISED
    side = "fewer than" if found < low else "as many as" if found <= high else "more than"
    return f"{told}; {side} the {low} to {high} steps of the advice"


def verdicts(result: Mapping[str, Any], figures: bool = True) -> list[str]:
    """Return what a sweep shows, in sentences: style at each count, how many are enough, what more of them cost."""
    top, first, last = best(result), result["counts"][1], result["counts"][-1]
    said = [beside(result, "style", "style", top, 0, figures)]
    said += [beside(result, "style", "style", n, top, figures) for n in result["counts"][1:] if n != top]
    said.append(advice(result))
    for count in sorted({first, enough(result) or last, last}):
        said.append(beside(result, "prompt", "prompt kept", count, 0, figures))
        said.append(beside(result, "nearest", "nearest learned painting", count, 0, figures))
    return [*said, *copies(result), *lowest(result)]


def means(result: Mapping[str, Any]) -> list[str]:
    """Return the mean of every measure at each count, one line a count; a held-out loss that was not taken is left out."""
    lines = []
    for count in result["counts"]:
        known = {title: trials.column(result["rows"], key, count=count) for key, title in PANELS.items()}
        held = [line["validation"] for line in result["rows"] if line["count"] == count]
        told = [f"{title} {trials.mean(values):.2f}" for title, values in known.items()]
        told += [f"held-out loss {np.mean(held):.2f}"] if None not in held else []
        lines.append(f"{count:3} steps: {', '.join(told)}")
    return lines


def copies(result: Mapping[str, Any]) -> list[str]:
    """Return how many pictures of the longest training look more like a learned painting than any held-out one does."""
    last = result["counts"][-1]
    values = sum(trials.column(result["rows"], "nearest", count=last), [])
    near = sum(value > max(result["own"]) for value in values)
    return [f"nearer to a learned painting than any held-out one, at {last} steps: {near} of {len(values)}"]


def lowest(result: Mapping[str, Any]) -> list[str]:
    """Return at which count the held-out loss was lowest, one a training run; nothing where it was not measured."""
    table = [line for line in result["rows"] if line["validation"] is not None]
    found = []
    for seed in sorted({line["seed"] for line in table}):
        line = min((line for line in table if line["seed"] == seed), key=lambda one: one["validation"])
        found.append(f"{line['count']} steps")
    return [f"held-out loss lowest at: {', '.join(found)}"] if found else []


def figure(result: Mapping[str, Any]) -> Shown:
    """Return a JPEG of a sweep: style, prompt and nearest painting at each count, every picture a dot, means with intervals."""
    lines = {
        "style": {"the base": result["floor"], "training paintings": result["ceiling"]},
        "nearest": {"held-out paintings": float(np.mean(result["own"]))},
    }
    sheet = Figure(figsize=(9.4, 3.2), dpi=72, facecolor=PAPER, layout="constrained")
    for axes, (key, title) in zip(sheet.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for name, value in lines.get(key, {}).items():
            axes.axhline(value, color=MUTED, linewidth=1, linestyle="--")
            axes.annotate(name, (0.99, value), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                          color=MUTED, fontsize=8)  # fmt: skip
        means = []
        for place, count in enumerate(result["counts"]):
            values = sum(trials.column(result["rows"], key, count=count), [])
            axes.plot(place + np.linspace(-0.15, 0.15, len(values)), values, ".", color=LINE, markersize=4)
            axes.plot([place, place], metrics.bootstrap_interval(values), color=ACCENT, linewidth=2.5)
            means.append(np.mean(values))
        axes.plot(means, "o-", color=ACCENT, markersize=6, linewidth=1)
        axes.set_xticks(range(len(means)), [str(n or "base") for n in result["counts"]], fontsize=8)
        axes.set(facecolor=PAPER, xlabel="steps")
        axes.set_title(title, fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    return figure_image(sheet)


def losses(run: Run) -> Shown:
    """Return a JPEG of the loss of each step and, where it was measured, of the held-out pictures at fixed noise."""
    sheet = Figure(figsize=(7.2, 3.0), dpi=76, facecolor=PAPER, layout="constrained")
    axes = sheet.add_subplot(facecolor=PAPER)
    axes.plot([r["step"] for r in run.log], [r["loss"] for r in run.log], color=LINE, label="each step")
    held = [(line["step"], line["validation"]) for line in run.log if "validation" in line]
    if held:
        axes.plot(*zip(*held, strict=True), "o-", color=ACCENT, label="held out, fixed noise")
    axes.set(xlabel="step", ylabel="loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure_image(sheet)


def bill(sampler: Sampler, lesson: TrainingData) -> dict[str, float]:
    """Return what a training holds in memory, in MB, part by part. The sampler must have no adapter on, and gets none.

    "activations": what the layers keep of a batch until the gradients are made, the largest part that can be chosen.
    """
    pipe, base = sampler.pipe, sampler.base

    def size(*names: str) -> float:
        return sum(forecast.size_mb(dict(getattr(pipe, name).named_parameters())) for name in names)

    parts = {
        "text encoders": size("text_encoder", "text_encoder_2"),
        "VAE": size("vae"),
        "frozen model": size("transformer"),
    }
    model = pipe.transformer
    lora.attach(model, base.rank, base.alpha, sampler.family.TARGET_MODULES, 0)
    adapter = forecast.size_mb(lora.trainable_parameters(model))
    parts |= {"adapter": adapter, "gradients": adapter, "optimizer state": 2 * adapter}
    for batch in (base.batch, 1):
        parts[f"activations, batch {batch}"] = kept_back(sampler, lesson, batch)
    model.enable_gradient_checkpointing()
    parts[f"batch {base.batch}, checkpointed"] = kept_back(sampler, lesson, base.batch)
    model.disable_gradient_checkpointing()
    lora.detach(model)
    return parts


def kept_back(sampler: Sampler, lesson: TrainingData, batch: int) -> float:
    """Return the MB that one forward pass keeps as activations, the model's own numbers not counted."""
    model, draw = sampler.pipe.transformer, torch.Generator().manual_seed(0)
    latents, embeddings = lesson.batch(batch, 0.0, draw)
    noise = torch.randn(latents.shape, generator=draw).to(latents)
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = sampler.family.loss(model, latents, embeddings, noise, torch.full((batch,), 0.5).to(latents))
    loss.sum().backward()  # until here `loss` holds all that was seen, so that no two share an address
    model.zero_grad()
    return sum(size for key, size in seen.items() if key not in own) / 1e6


def bars(parts: Mapping[str, float]) -> Shown:
    """Return a JPEG of a bill, each part a bar to scale; what learning adds is red."""
    sheet = Figure(figsize=(7.2, 3.2), dpi=76, facecolor=PAPER, layout="constrained")
    axes = sheet.add_subplot(facecolor=PAPER)
    colours = [ACCENT if name in LEARNS else MUTED if "frozen" not in name else INK for name in parts]
    made = axes.barh(list(parts), list(parts.values()), color=colours)
    axes.bar_label(made, [f"{value:.1f} MB" for value in parts.values()], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(parts.values()))
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    return figure_image(sheet)


def work(model: nn.Module, base: Base) -> float:
    """Return a step's work, in no unit: numbers x tokens x pictures. Attention, which grows faster, is left out."""
    tokens = (base.side // 16) ** 2 + base.caption_tokens
    return sum(p.numel() for p in model.parameters()) * tokens * base.batch


def wobble(values: Sequence[float]) -> float:
    """Return how far a value lies from the one before it, on average."""
    return float(np.abs(np.diff(values)).mean())


def opening(path: Path, sigma: float = 0.6) -> None:
    """Write the lesson's opening picture: one step, from a painting to the adapter that is moved."""
    painting = pictures.load([SAMPLE / "train" / "09_king_at_window.jpg"])[0].image
    clean = pixels.to_pixels([painting], 128)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    shown = [clean, noise / 2, (1 - sigma) * clean + sigma * noise / 2, (noise - clean) / 3]
    page = Image.new("RGB", (900, 284), PAPER)
    pen = ImageDraw.Draw(page)
    places, side, top, middle = (20, 190, 380, 742), 136, 44, 112
    labels = ("a painting", "noise", "mixed", "noise less painting")
    for x, label, dots in zip(places, labels, shown, strict=True):
        paste_square(page, picture(dots), x, top, side)
        pen.text((x + side // 2, top + side + 16), label, fill=INK, font=font(14), anchor="mm")
    for x, sign in ((173, "+"), (353, "=")):
        pen.text((x, middle), sign, fill=INK, font=font(24), anchor="mm")
    pen.rectangle((566, top, 664, top + side), fill=INK)
    pen.rectangle((676, top, 694, top + side), fill=ACCENT)
    pen.text((615, middle), "frozen\nmodel", fill=PAPER, font=font(15), anchor="mm", align="center")
    arrow(pen, [(522, middle), (560, middle)], INK)
    arrow(pen, [(698, middle), (738, middle)], INK)
    arrow(pen, [(810, 212), (810, 244), (685, 244), (685, 186)], ACCENT)
    for x, y, anchor, text in ((685, 28, "mm", "adapter"), (796, 262, "mm", "how far off the answer is"),
                               (676, 244, "rm", "moves the adapter, and nothing else")):  # fmt: skip
        pen.text((x, y), text, fill=ACCENT, font=font(14), anchor=anchor)
    path.write_bytes(jpeg(page, 70))


def picture(dots: Tensor) -> Image.Image:
    """Return (1, 3, side, side) dots of -1 ... 1 as a picture."""
    return Image.fromarray(((dots[0].permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).byte().numpy())


def arrow(pen: ImageDraw.ImageDraw, points: Sequence[tuple[int, int]], colour: str) -> None:
    """Draw a line through points with a head at the last."""
    pen.line(points, fill=colour, width=2)
    (x, y), (before_x, before_y) = points[-1], points[-2]
    along = (np.sign(x - before_x), np.sign(y - before_y))
    back = (x - 9 * along[0], y - 9 * along[1])
    across = (5 * along[1], 5 * along[0])
    corners = [(x, y), (back[0] + across[0], back[1] + across[1]), (back[0] - across[0], back[1] - across[1])]
    pen.polygon([(int(a), int(b)) for a, b in corners], fill=colour)


# A made-up sweep for exercise 3, with a turn that nobody can argue about.
MADE_UP: dict[str, Any] = {
    "counts": [0, 100, 200, 400, 800, 1600], "batch": 4, "pictures": 16, "floor": 0.30, "ceiling": 0.72,
    "own": [0.70],
    "rows": [
        {"count": count, "seed": 0, "validation": None}
        | {key: [centre + shift for shift in (-0.03, -0.01, 0.0, 0.01, 0.03)]
           for key, centre in zip(PANELS, values, strict=True)}
        for count, values in {0: (0.32, 0.95, 0.45), 100: (0.42, 0.94, 0.50), 200: (0.53, 0.95, 0.57),
                              400: (0.65, 0.93, 0.66), 800: (0.65, 0.70, 0.82), 1600: (0.65, 0.40, 0.94)}.items()
    ],
}  # fmt: skip


def check_loss(
    answer: Callable[[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor, Tensor], Tensor | None],
) -> str:
    """Return what is to be said of a learner's answer(model, latents, noise, sigma): the error of each example, (n,).

    Latents and noise are (n, 16, h, w), sigma is (n,), and model(noisy, sigma) returns a velocity like the latents.
    """
    draw = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 3, 16, 4, 4, generator=draw)
    sigma, given = torch.tensor([0.2, 0.5, 0.9]), []
    said = torch.randn(latents.shape, generator=draw)

    def model(noisy: Tensor, sigma: Tensor) -> Tensor:
        given.append(noisy)
        return said

    try:
        found = answer(model, latents, noise, sigma)
    except RuntimeError:
        return "not yet: sigma has one number an example; sigma.view(-1, 1, 1, 1) lies beside the latents"
    if found is None:
        return UNTOUCHED
    if not given:
        return "not yet: the model was not asked; give it the noisy latents and sigma"
    spread = sigma.view(-1, 1, 1, 1)

    def is_near(a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(a, b, atol=1e-5)

    def error(target: Tensor) -> Tensor:
        return (said - target).square().mean((1, 2, 3))

    if is_near(given[0], spread * latents + (1 - spread) * noise):
        return "not yet: at sigma 1 all is noise; yours is the other way round"
    if not is_near(given[0], (1 - spread) * latents + spread * noise):
        return "not yet: the model should see (1 - sigma) of the painting and sigma of the noise"
    for target, hint in ((latents - noise, "the velocity leads from the painting to the noise: change its sign"),
                         (noise, "that asks for the noise; flow matching asks for noise less painting"),
                         (latents, "that asks for the painting; flow matching asks for noise less painting")):  # fmt: skip
        if is_near(found, error(target)) or is_near(found, error(target).mean()):
            return f"not yet: {hint}"
    if is_near(found, error(noise - latents).mean()):
        return "not yet: one number an example, please; take the mean over all but the first dimension"
    return RIGHT if is_near(found, error(noise - latents)) else "not yet: the mean of the squared difference"


def check_steps(answer: Callable[[int, int, int, int], int | None]) -> str:
    """Return what is to be said of a learner's answer(pictures, looks, batch, accumulation): the steps it takes."""
    asked = ((16, 100, 1, 1), (16, 100, 4, 1), (16, 100, 4, 2), (15, 7, 4, 1))
    found = [answer(*one) for one in asked]
    if None in found:
        return UNTOUCHED
    right = [math.ceil(n * looks / (batch * times)) for n, looks, batch, times in asked]
    if found[0] == right[0] and found[1] == right[0]:
        return "not yet: a step shows `batch` pictures at once, so there are fewer of them"
    if found[:2] == right[:2] and found[2] != right[2]:
        return "not yet: with accumulation a step is several batches"
    if found[:3] == right[:3] and found[3] == right[3] - 1:
        return "not yet: round up, or the last pictures are not seen"
    return (
        RIGHT
        if found == right
        else f"not yet: {found[1]} for 16 pictures, 100 looks, batch 4, accumulation 1"
    )


def check_stop(answer: int | None) -> str:
    """Return what is to be said of the step at which a learner would stop the made-up sweep."""
    if answer is None:
        return UNTOUCHED
    if answer not in MADE_UP["counts"][1:]:
        return f"not yet: nothing was kept there; choose one of {', '.join(map(str, MADE_UP['counts'][1:]))}"
    turn = enough(MADE_UP) or 0
    if answer < turn:
        return "not yet: the style still rises after that, and nothing has been lost"
    if answer > turn:
        return "not yet: look what has become of the prompt and of the nearest painting by then"
    return RIGHT


def main() -> None:
    """Train once a seed, measure every count, and record the result."""
    here = long_run.bench()
    judges = pictures.held_out(pictures.load(SAMPLE, side=here.sampler.base.side))
    plain = trials.answers(here.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
    asked = prompts(trials.SUBJECTS)

    def found(images: Sequence[Image.Image]) -> Found:
        return measured(images, trials.SUBJECTS, here.taught, here.held_out)

    def one(_: str, seed: int) -> long_run.Row:
        lines = [row(0, seed, found(plain.said))]
        for count, run in teach(here.learn, COUNTS, seed, long_run.WORK / f"steps_{seed}", judges).items():
            here.sampler.load(run.folder)
            images = trials.drawn(here.sampler, asked, trials.SEEDS)
            lines.append(row(count, seed, found(images), run.log[-1]["validation"]))
        return {"at": lines}

    table = here.table("how_many_steps", [f"at {', '.join(map(str, COUNTS))}"], one)
    here.record(
        "how_many_steps", sum((line["at"] for line in table), []), plain, steps=COUNTS[-1], counts=[0, *COUNTS],
        batch=here.sampler.base.batch, pictures=len(here.learn),
        own=own(here.taught, here.held_out),
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:] == ["picture"]:
        opening(OPENING)
    else:
        main()
