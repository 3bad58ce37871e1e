"""Drawing on after a training: pictures with prompt, seed, strength and base in the file, found again.

The text lies in the PNG itself, once as Automatic1111 and Civitai write and read it ("parameters"), once as
JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.paths import safe_name

_KEY = "lessons_lib"


@dataclass(frozen=True)
class Drawing:
    """A picture that was drawn, and what it takes to draw it again; `adapter` is empty for the base's own."""

    prompt: str
    seed: int
    strength: float
    base: str
    adapter: str = ""
    path: Path = field(default_factory=Path, compare=False)

    def __str__(self) -> str:
        adapter = f", {self.adapter} at {self.strength:g}" if self.adapter else ""
        return f"{self.path.name}: {self.prompt!r}, seed {self.seed}, {self.base}{adapter}"

    @property
    def image(self) -> Image.Image:
        """The picture. Raises OSError when the file cannot be read any more."""
        with Image.open(self.path) as image:
            return image.convert("RGB")

    def draw_again(self, sampler: Sampler) -> Image.Image:
        """Return the same picture from a sampler that has the same base and adapter."""
        return sampler.sample([self.prompt], [self.seed], self.strength)[0][0]


def draw(
    sampler: Sampler, prompt: str, seed: int, folder: Path, adapter: str = "", strength: float | None = None
) -> Drawing:
    """Draw a picture with the sampler's adapter, save it as a PNG in a folder and return it.

    `adapter`: what to call the adapter in the file; else it has the sampler's name for it.
    Raises OSError when the file cannot be written, ValueError when an adapter is named and none is loaded.
    """
    if adapter and not sampler.adapter:
        raise ValueError(f"adapter is {adapter!r}, and the sampler has none; load it first, or name none")
    adapter = adapter or sampler.adapter or ""
    strength = sampler.base.strength if strength is None else strength
    image = sampler.sample([prompt], [seed], strength)[0][0]
    folder.mkdir(parents=True, exist_ok=True)
    path = _free_path(folder, safe_name(f"{prompt[:40]} {seed}"))
    drawing = Drawing(prompt, seed, strength if adapter else 0.0, sampler.base.name, adapter, path)
    image.save(path, pnginfo=_text_of(drawing, sampler, image))
    return drawing


def _free_path(folder: Path, name: str) -> Path:
    """Return a path that no file has yet: NAME.png, or with -2, -3 ..."""
    paths = (folder / f"{name}{suffix}.png" for suffix in ("", *(f"-{i}" for i in range(2, 10_000))))
    return next(path for path in paths if not path.exists())


def _text_of(drawing: Drawing, sampler: Sampler, image: Image.Image) -> PngInfo:
    """Return the text of a PNG: what other programs read, and JSON."""
    words = f"<lora:{drawing.adapter}:{drawing.strength:g}> " if drawing.adapter else ""
    steps, scale = sampler.base.num_inference_steps, sampler.base.guidance_scale
    info = PngInfo()
    info.add_itxt(
        "parameters",
        f"{words}{drawing.prompt}\nSteps: {steps}, CFG scale: {scale:g}, Seed: {drawing.seed}, "
        f"Size: {image.width}x{image.height}, Model: {drawing.base}",
    )
    values = {name: value for name, value in asdict(drawing).items() if name != "path"}
    info.add_itxt(_KEY, json.dumps(values, ensure_ascii=False))
    return info


def find(folder: Path, words: str = "") -> list[Drawing]:
    """Return the drawings in a folder whose prompt holds all of some words, in the order of their names.

    Other files are passed over.
    """
    drawings = [drawing for path in sorted(folder.glob("*.png")) for drawing in _read(path)]
    return [one for one in drawings if all(word in one.prompt.lower() for word in words.lower().split())]


def _read(path: Path) -> list[Drawing]:
    """Return what a PNG says of itself, or nothing where it is no drawing of ours."""
    try:
        with Image.open(path) as image:
            return [Drawing(**json.loads(image.text[_KEY]), path=path)]  # type: ignore[attr-defined]
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return []
