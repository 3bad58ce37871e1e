"""The appendix's recorded run: every recipe with two training seeds, and two adapters without some blocks.

`python -m lessons_lib.course.appendix_knobs_record record` makes it; stopped, it goes on where it was.
`picture` draws the opening picture from its drawings.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lessons_lib import session
from lessons_lib.adapters import files, lora
from lessons_lib.adapters.weights import save_weights
from lessons_lib.course import appendix_knobs, lesson_08, long_run, recorded, trials
from lessons_lib.course.appendix_knobs import RECIPES, STANDARD, STEPS, Bench
from lessons_lib.course.trials import SEEDS, SUBJECTS, Scores
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.display import notebook
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE, in_course, safe_name
from lessons_lib.training.state import State

NAME = "knobs"
OWL, BASE, COSTS = "owl", "the base", "costs.json"
OWLS = lesson_08.REMEDIES["class noun"].prompts
TRAINING_SEEDS, OWL_SEEDS = (0, 1), (1,)
OPENING = ("the base", STANDARD, "rate / 4", "alpha 8, rate x 4", "rank 11", "DoRA", "much noise", "CLIP too")
Drawings = dict[str, list[Image.Image]]


def _folder(variant: str, seed: int) -> Path:
    """Return where the drawings of a variant lie; other weights, steps or recipes have another folder."""
    identity = f"{recorded.base_fingerprint()} {STEPS} {RECIPES.get(_recipe_of(variant), '')}"
    key = sha256(identity.encode()).hexdigest()[:12]
    return long_run.WORK_DIR / NAME / key / safe_name(f"{variant} {seed}")


def _recipe_of(variant: str) -> str:
    """Return the name of the recipe that a variant was trained by."""
    return variant if variant in RECIPES else variant.partition(", ")[0]


class Recorder:
    """What draws: a sampler, and a bench for the paintings and for the owl."""

    def __init__(self) -> None:
        self.sampler = Sampler("pocket")
        side = self.sampler.base.side
        self.paintings = dataset.read(in_course(SAMPLE), side=side)
        self.owl = dataset.read(in_course(lesson_08.OWL), side=side)
        owls = lesson_08.renamed(self.owl, "owl", lesson_08.OWL_SUBJECT).train
        self.benches = {STANDARD: Bench(self.sampler, self.paintings.train), OWL: Bench(self.sampler, owls)}

    def trial(self, name: str, seed: int) -> None:
        """Train one recipe; save what it draws, its size and the seconds of a step."""
        if name == BASE:
            self._save(self._of_base(), seed)
            _write_costs(name, seed, {})
            return
        bench = self.benches[OWL if name == OWL else STANDARD]
        start = time.process_time()
        state = bench.train(RECIPES.get(name, RECIPES[STANDARD]), seed)
        seconds = (time.process_time() - start) / STEPS
        trained = sum(parameter.numel() for parameter in state.parameters.values())
        self._save({name: self._draw(name)} | self._more(name, state), seed)
        bench.reset()
        _write_costs(name, seed, {"parameters": trained, "step_seconds": round(seconds, 4)})

    def _draw(self, name: str) -> list[Image.Image]:
        """Return the drawings of the subjects, or of the owl at full strength as in lesson 08."""
        if name.startswith(OWL):
            return self._batch(OWLS, OWL_SEEDS, lesson_08.STRENGTH)
        return self._batch(trials.trigger_prompts(SUBJECTS), SEEDS)

    def _batch(
        self, prompts: Sequence[str], seeds: Sequence[int], strength: float | None = None
    ) -> list[Image.Image]:
        """Return what `trials.quick_samples` does to within rounding, all drawn at once, in half the time."""
        sampler, steps = self.sampler, self.sampler.base.num_inference_steps // 2
        sampler.set_strength(strength)
        noise = [torch.Generator().manual_seed(seed) for _ in prompts for seed in seeds]
        every = [prompt for prompt in prompts for _ in seeds]
        arguments = sampler.family.pipeline_arguments(sampler.base, steps, None)
        with session.quiet():
            return list(sampler.pipe(prompt=every, generator=noise, **arguments).images)

    def _more(self, name: str, state: State) -> Drawings:
        """Return what else is drawn with a trained adapter: its average, no trigger, without some blocks."""
        images: Drawings = {}
        if name in (STANDARD, "constant"):
            with state.averaged():
                images[f"{name}, EMA"] = self._draw(name)
        if name in (STANDARD, "CLIP too"):
            images[f"{name}, no trigger"] = self._batch(SUBJECTS, SEEDS)
        if name in (STANDARD, OWL):
            images |= self._without_blocks(name)
        return images

    def _without_blocks(self, name: str) -> Drawings:
        """Return what the adapter draws that is on the sampler, each time without one group of blocks."""
        images: Drawings = {}
        with tempfile.TemporaryDirectory() as folder:
            save_weights(self.sampler.pipe, self.sampler.family.DENOISER, Path(folder))
            adapter = files.read(Path(folder))
        self.benches[STANDARD].reset()
        for group, layers in appendix_knobs.block_groups(adapter.layers).items():
            self.sampler.load(appendix_knobs.without(adapter, layers))
            images[f"{name}, without {group}"] = self._draw(name)
        self.sampler.unload()
        return images

    def _of_base(self) -> Drawings:
        """Return the base's own drawings: with the trigger, without it, and of owls."""
        owls = self._batch([f"an owl {place}" for place in lesson_08.PLACES], OWL_SEEDS)
        plain = self._batch(SUBJECTS, SEEDS)
        return {BASE: self._draw(BASE), f"{BASE}, no trigger": plain, f"{BASE}, {OWL}": owls}

    def _save(self, drawings: Drawings, seed: int) -> None:
        for variant, images in drawings.items():
            folder = _folder(variant, seed)
            folder.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(images):
                image.save(folder / f"{number:02d}.png")


def _write_costs(name: str, seed: int, costs: Mapping[str, float]) -> None:
    """Write what a training cost beside its drawings; it is then done."""
    (_folder(name, seed) / COSTS).write_text(json.dumps(costs), encoding="utf-8")


def drawings(variant: str, seed: int) -> list[Image.Image]:
    """Return the saved drawings of a variant. Raises FileNotFoundError before it was recorded."""
    paths = sorted(_folder(variant, seed).glob("*.png"))
    if not paths:
        raise FileNotFoundError(f"{variant} was not drawn yet; run `record` first")
    return [Image.open(path).convert("RGB") for path in paths]


class Ruler:
    """Measures drawings against held-out pictures of their set, whole and by their centres."""

    def __init__(self, sampler: Sampler, pictures: Dataset):
        self.judge, self.side = judges.find(sampler.base), sampler.base.side
        train, held_out = ([p.image for p in split] for split in (pictures.train, pictures.held_out))
        self._held_out = self._features(held_out)
        self.ceilings = [trials.mean_score([scores]) for scores in self._style(self._features(train))]
        self._drawn: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

    def _features(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        crops = metrics.centre_crops(images, self.side)
        return self.judge.image_features(images), self.judge.image_features(crops)

    def _style(self, features: tuple[Tensor, Tensor]) -> list[Scores]:
        pairs = zip(features, self._held_out, strict=True)
        return [trials.style_scores(own, held_out) for own, held_out in pairs]

    def features(self, variant: str, seed: int) -> tuple[Tensor, Tensor]:
        """Return the features of whole drawings and of their centres, (n, width) each."""
        if (variant, seed) not in self._drawn:
            self._drawn[variant, seed] = self._features(drawings(variant, seed))
        return self._drawn[variant, seed]

    def style(self, variant: str, seed: int) -> list[Scores]:
        """Return the likeness of each drawing to the held-out pictures, whole and by centres."""
        return self._style(self.features(variant, seed))

    def ends(self, base_variant: str) -> list[tuple[float, float]]:
        """Return floor, the base's drawings, and ceiling, the training pictures, whole and by centres."""
        floors = [trials.mean_score([scores]) for scores in self.style(base_variant, TRAINING_SEEDS[0])]
        return [(round(low, 4), round(high, 4)) for low, high in zip(floors, self.ceilings, strict=True)]

    def ranks(self, variant: str, seed: int) -> Scores:
        """Return the rank of each drawing's subject among all concepts."""
        concepts = [trials.concept_of(subject) for subject in SUBJECTS for _ in SEEDS]
        ranks = metrics.prompt_ranks(self.features(variant, seed)[0], concepts, self.judge)
        return [round(rank, 4) for rank in ranks]

    def moved(self, variant: str, seed: int) -> Scores:
        """Return how far each drawing is from the standard training's; from its other seed's for that
        itself, and from the base's without the trigger.
        """
        other, first = (STANDARD, seed), TRAINING_SEEDS[0]
        if variant.endswith("no trigger"):
            other = (f"{BASE}, no trigger", first)
        elif variant == STANDARD:
            other = (STANDARD, next(one for one in TRAINING_SEEDS if one != seed))
        return trials.distances(self.features(*other)[0], self.features(variant, seed)[0])


def wanted() -> list[tuple[str, int]]:
    """Return name and seed of each training in the order of their use: those of the first seed come first."""
    first, *more = TRAINING_SEEDS
    names = [
        (BASE, first),
        *((STANDARD, seed) for seed in TRAINING_SEEDS),
        *((n, first) for n in (*RECIPES, OWL)),
    ]
    return list(dict.fromkeys([*names, *((name, seed) for seed in more for name in (*RECIPES, OWL))]))


def train_missing(recorder: Recorder, trainings: Sequence[tuple[str, int]]) -> None:
    """Train and draw what is not there yet."""
    for name, seed in trainings:
        if not is_done(name, seed):
            print(f"{name}, training seed {seed}", file=sys.stderr, flush=True)
            recorder.trial(name, seed)


def is_done(name: str, seed: int) -> bool:
    """Return whether a training was made and drawn."""
    return (_folder(name, seed) / COSTS).is_file()


def record() -> None:
    """Train and draw what is not there yet, measure all of it, and save the result."""
    recorder = Recorder()
    train_missing(recorder, wanted())
    recorded.save(NAME, result(recorder))


def save_finished() -> None:
    """Save what a run that was stopped has so far: the training seeds with which every recipe is there."""
    recorded.save(NAME, result(Recorder()))


def result(recorder: Recorder) -> dict[str, Any]:
    """Return what was drawn, measured: a row for each variant and each training seed that is complete."""
    seeds = [seed for seed in TRAINING_SEEDS if all(is_done(name, seed) for name in (*RECIPES, OWL))]
    ruler, owls = (Ruler(recorder.sampler, one) for one in (recorder.paintings, recorder.owl))
    groups = list(appendix_knobs.block_groups(lora.target_layers(
        recorder.sampler.denoiser, recorder.sampler.family.TARGET_MODULES)))  # fmt: skip
    variants = [
        *RECIPES,
        f"{STANDARD}, EMA",
        "constant, EMA",
        f"{STANDARD}, no trigger",
        "CLIP too, no trigger",
    ]
    without = {f"{STANDARD}, without {group}": f"{OWL}, without {group}" for group in groups}
    thing = {STANDARD: OWL} | without
    rows: list[long_run.Row] = []
    for seed, variant in itertools.product(seeds, [*variants, *without]):
        whole, centre = ruler.style(variant, seed)
        owl, owl_centre = owls.style(thing[variant], seed) if variant in thing else (None, None)
        cost = json.loads((_folder(_recipe_of(variant), seed) / COSTS).read_text(encoding="utf-8"))
        rows.append({
            "recipe": variant, "seed": seed, "style": whole, "centre": centre,
            "prompt_rank": ruler.ranks(variant, seed), "moved": ruler.moved(variant, seed),
            "thing": owl, "thing_centre": owl_centre, **cost,
        })  # fmt: skip
    first = TRAINING_SEEDS[0]
    ends = dict(zip(("style", "centre"), ruler.ends(BASE), strict=True))
    ends |= zip(("thing", "thing_centre"), owls.ends(f"{BASE}, {OWL}"), strict=True)
    ends["prompt_rank"] = (0.0, round(trials.mean_score([ruler.ranks(f"{BASE}, no trigger", first)]), 4))
    moved = trials.distances(*(ruler.features(name, first)[0] for name in (BASE, STANDARD)))
    return {
        "steps": STEPS, "trainings": len(seeds), "floor": ends["style"][0], "ceiling": ends["style"][1],
        "ends": ends, "moved_by_training": round(trials.mean_score([moved]), 4), "groups": groups,
        "rows": rows,
    }  # fmt: skip


def save_opening_picture(path: Path = NOTEBOOK_PICTURES / "appendix_knobs.jpg") -> None:
    """Draw one subject by the base and by some recipes, the same seed each time."""
    images = [drawings(name, 0)[0] for name in OPENING]
    rows = [images[:4], images[4:]]
    path.write_bytes(notebook.image_grid(rows, side=200).data)


if __name__ == "__main__":
    long_run.command_line(
        "appendix_knobs_record", {"record": record, "save": save_finished, "picture": save_opening_picture}
    )
