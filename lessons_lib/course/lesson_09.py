"""Lesson 09: two adapters together, what gets in the way, one file of both, files for other programs.

`python -m lessons_lib.course.lesson_09 picture` draws the lesson's opening picture from the runs that the
lesson left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from IPython.display import Image as NotebookImage
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from lessons_lib.adapters import combine, export, files, fit, loading
from lessons_lib.adapters.combine import Overlap, side_by_side
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.adapters.run import OTHER_FORMATS, WEIGHTS_NAME
from lessons_lib.course import long_run
from lessons_lib.course.trials import TRIGGER, flatten
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.display import charts, notebook
from lessons_lib.display.theme import ACCENT, INK, MUTED
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.paths import NOTEBOOK_PICTURES, ROOT
from lessons_lib.session import quiet

PRINT_TRIGGER = "zq7bp"  # like TRIGGER a word that means nothing to the base
SUBJECTS = ("a horse", "a castle", "a boat", "an elephant")
THINGS = (
    "a cat", "a ship", "a tree", "a bird", "a flower", "a fish", "a house", "a mountain", "a lamp",
    "an apple", "a fox", "a chair",
)  # fmt: skip
OPENING_PICTURE = NOTEBOOK_PICTURES / "09_both.jpg"
_PAPER, _LINES = (24, 58, 128), (236, 244, 255)
_RIGHTS = {"maker": "this lesson", "licence": "CC0-1.0", "source": "outlines of samples of the base model"}


def blueprint(image: Image.Image) -> Image.Image:
    """Return the outlines of a picture in white on blue, of its size."""
    grey = ImageOps.grayscale(image).filter(ImageFilter.GaussianBlur(image.width / 128))
    edges = grey.filter(ImageFilter.FIND_EDGES).crop((2, 2, image.width - 2, image.height - 2))
    lines = ImageOps.autocontrast(edges.resize(image.size)).point(lambda value: min(255, int(1.6 * value)))
    return ImageOps.colorize(lines, _PAPER, _LINES)


def blueprints(samples: Sequence[Image.Image]) -> Dataset:
    """Return the blueprints of samples of THINGS, ten to learn from and the others held out."""
    pictures = [
        Picture(Path(f"{thing.split()[-1]}.png"), ImageFile.of(blueprint(image)), dict(_RIGHTS), thing)
        for thing, image in zip(THINGS, samples, strict=True)
    ]
    return Dataset(pictures[:10], pictures[10:])


def prompts(*triggers: str) -> list[str]:
    """Return a prompt for each of SUBJECTS with some trigger words."""
    texts = list(SUBJECTS)
    for trigger in triggers:
        texts = [with_trigger(text, trigger) for text in texts]
    return texts


def draw(
    sampler: Sampler, run: Path | Adapter, triggers: Sequence[str], strength: float
) -> list[Image.Image]:
    """Return one sample for each of SUBJECTS with an adapter, which is taken off again."""
    sampler.load(run)
    try:
        return flatten(sampler.sample(prompts(*triggers), [1], strength=strength))
    finally:
        sampler.unload()


def merge_factors(
    first: Factors, second: Factors, first_weight: float, second_weight: float
) -> tuple[Tensor, Tensor]:
    """Return `down` and `up` of the weighted sum of two changes: the factors side by side."""
    factors = side_by_side([(first, first_weight), (second, second_weight)])
    return factors.down, factors.up


def largest_pixel_difference(images: Sequence[Image.Image], others: Sequence[Image.Image]) -> int:
    """Return the largest difference of a colour between two lists of pictures, 0 ... 255."""
    pairs = zip(images, others, strict=True)
    return max(int(np.abs(np.asarray(a, int) - np.asarray(b, int)).max()) for a, b in pairs)


def chance(adapter: Adapter) -> tuple[float, float]:
    """Return which share of any directions an adapter's would hold by chance, in what its layers read and in
    what they write: the rank by the width, the mean of all layers.
    """
    pairs = [(len(f.down) / f.down.shape[1], len(f.down) / f.up.shape[0]) for f in adapter.layers.values()]
    inputs, outputs = np.minimum(1, pairs).mean(0)
    return float(inputs), float(outputs)


def overlap_chart(overlaps: Sequence[Overlap], by_chance: tuple[float, float]) -> NotebookImage:
    """Return a JPEG with a stroke for each layer: the cosine of two changes, and the shares of the directions
    that they read and write in common, with a grey bar at what chance gives.
    """
    figure, axes = charts.new_chart(7.2, 2.4, 92)
    rows = {
        "cosine of the changes": [overlap.cosine for overlap in overlaps],
        "read in common": [overlap.inputs for overlap in overlaps],
        "written in common": [overlap.outputs for overlap in overlaps],
    }
    for place, values in enumerate(rows.values()):
        axes.plot(values, [place] * len(values), "|", color=ACCENT, markersize=15, markeredgewidth=1.4)
        axes.plot(np.mean(values), place, "o", color=INK, markersize=5)
    for place, share in enumerate((0.0, *by_chance)):
        axes.plot([share, share], [place - 0.4, place + 0.4], color=MUTED, linewidth=3, alpha=0.6)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlim=(-0.4, 1.02), ylim=(len(rows) - 0.5, -0.5))
    means = ", ".join(f"{name} {np.mean(values):.2f}" for name, values in rows.items())
    return notebook.figure_image(figure, f"means over {len(overlaps)} layers: {means}")


@dataclass(frozen=True)
class RoundTrip:
    """What came back of a file: its program, its layers there and in the run, and the largest difference of a
    weight's change.
    """

    program: str
    file: str
    layers: int
    expected: int
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.program:22} {self.layers} of {self.expected} layers, {self.difference:.0e}  {self.file}"
        )


def round_trips(run_dir: Path, sampler: Sampler) -> list[RoundTrip]:
    """Return what comes back of a run's files: the adapter through diffusers' own loader, the files for
    ComfyUI and kohya's trainer by the names that those look for, the adapter through this course's loader.

    A layer that kohya's file has in one piece, such as query, key and value, counts as its parts.
    """
    original, pipe = files.read(run_dir), sampler.pipe
    shapes = fit.layer_shapes({sampler.family.DENOISER: sampler.denoiser})
    kohya, comfyui = export.write_kohya(run_dir), export.write_comfyui(run_dir)
    with quiet():
        pipe.load_lora_weights(str(run_dir), weight_name=WEIGHTS_NAME, adapter_name="back")
    adapters = {"diffusers": (run_dir / WEIGHTS_NAME, _attached(sampler, "back"))}
    loading.unload(pipe, "back")
    for name, path in {"ComfyUI": comfyui, "sd-scripts (kohya)": kohya}.items():
        adapters[name] = (path, fit.fitted(files.read(path), sampler.base, shapes))
    sampler.load(run_dir, "back")
    adapters["back here"] = (run_dir / WEIGHTS_NAME, _attached(sampler, "back"))
    sampler.unload()
    return [
        RoundTrip(name, path.name, len(adapter.layers), len(original.layers),
                  combine.largest_difference(original, adapter))
        for name, (path, adapter) in adapters.items()
    ]  # fmt: skip


def _attached(sampler: Sampler, name: str) -> Adapter:
    """Return what a pipeline's denoiser holds of an adapter."""
    layers = {
        f"{sampler.family.DENOISER}.{layer}": Factors(
            module.lora_A[name].weight.detach().cpu(),
            module.lora_B[name].weight.detach().cpu(),
            module.scaling[name] * len(module.lora_A[name].weight),
        )
        for layer, module in sampler.denoiser.named_modules()
        if name in getattr(module, "lora_A", {})
    }
    return Adapter(layers)


def sizes(run_dir: Path) -> Mapping[str, float]:
    """Return the size of each file of weights of a run in MB."""
    paths = [run_dir / WEIGHTS_NAME, *sorted((run_dir / OTHER_FORMATS).iterdir())]
    return {path.name: path.stat().st_size / 1e6 for path in paths}


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw the horse of seed 1 by the base, with each adapter, and with both at their usual strength."""
    sampler, folder = Sampler("pocket"), ROOT / "runs" / "lesson_09"
    base = flatten(sampler.sample(list(SUBJECTS[:1]), [1]))
    adapters = [files.read(folder / name) for name in ("paintings", "blueprints")]
    strength = sampler.base.strength
    both = combine.combine(adapters, [strength, strength])
    cases = [(adapters[0], [TRIGGER], strength), (adapters[1], [PRINT_TRIGGER], strength),
             (both, [TRIGGER, PRINT_TRIGGER], 1.0)]  # fmt: skip
    images = base + [draw(sampler, *case)[0] for case in cases]
    path.write_bytes(notebook.image_grid(images, ["base", "paintings", "blueprints", "both"], side=176).data)


if __name__ == "__main__":
    long_run.command_line("lesson_09", {"picture": save_opening_picture})
