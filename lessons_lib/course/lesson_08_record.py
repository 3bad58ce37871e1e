"""Lesson 08's long run: every remedy twice, two characters in one file and in two, and words alone.

`python -m lessons_lib.course.lesson_08_record record` makes it; stopped, it goes on where it was, and `save`
keeps what there is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from lessons_lib.adapters import combine, files
from lessons_lib.adapters.files import Adapter
from lessons_lib.course import lesson_08, long_run, recorded
from lessons_lib.course import lesson_08_measures as measures
from lessons_lib.course.lesson_08 import (
    BYSTANDERS,
    PAIRS,
    PLACES,
    PLAIN,
    REMEDIES,
    SEEDS,
    WEAKER,
)  # fmt: skip
from lessons_lib.course.lesson_08_measures import References
from lessons_lib.course.trials import Scores, flatten, nearest_scores, style_scores
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import notebook
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.paths import NOTEBOOK_PICTURES, in_course

NAME, PROMPT = "everyone_looks_like_it", "a purple owl with a yellow scarf"
OWN_SEEDS, PROMPT_SEEDS = (3, 4, 5), tuple(range(1, 9))
TRAINING_SEEDS = (0, 1)
_PICTURE_OF = ("no remedy", "class noun", "class pictures", "noun and class pictures")


@dataclass(frozen=True)
class Bench:
    """What all trials share: the base, both characters, and the references of each network, for bystanders
    alone and in halves of a pair.
    """

    sampler: Sampler
    owl: Dataset
    fox: Dataset
    alone: dict[str, References]
    in_pairs: dict[str, References]

    @classmethod
    def prepare(cls) -> Bench:
        """Return a bench on pocket."""
        sampler = Sampler("pocket")
        owl, fox = (
            dataset.read(in_course(folder), side=sampler.base.side)
            for folder in (lesson_08.OWL, lesson_08.FOX)
        )
        characters = [p.image for p in owl.train], [p.image for p in fox.train]
        own = sampler.sample(BYSTANDERS, OWN_SEEDS)
        pairs = sampler.sample(PAIRS, OWN_SEEDS)
        sides = [[measures.halves(image)[k] for image in row] for row in pairs for k in (0, 1)]
        return cls(
            sampler, owl, fox, references(sampler, *characters, own), references(sampler, *characters, sides)
        )

    @property
    def held_out(self) -> list[Image.Image]:
        """The owl's held-out pictures."""
        return [picture.image for picture in self.owl.held_out]

    def subject_match(self, images: Sequence[Image.Image]) -> Scores:
        """Return each picture's mean similarity to the owl's held-out pictures."""
        judge = judges.find(self.sampler.base)
        return style_scores(judge.image_features(images), judge.image_features(self.held_out))


def references(
    sampler: Sampler,
    subject: Sequence[Image.Image],
    other: Sequence[Image.Image],
    own: Sequence[Sequence[Image.Image]],
) -> dict[str, References]:
    """Return the references of both networks; `own`: some drawings of the base of each bystander."""
    return {
        name: References(network, network(subject), network(other), tuple(network(row) for row in own))
        for name, network in measures.networks(sampler.base).items()
    }


def sides(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return the left halves of the drawings of a pair, then the right ones, pair by pair."""
    count = len(images) // len(PAIRS)
    rows = [images[start : start + count] for start in range(0, len(images), count)]
    return [measures.halves(image)[k] for row in rows for k in (0, 1) for image in row]


def pulls(bench: Bench, run: Path | Adapter | None) -> dict[str, Scores]:
    """Return the pulls of bystanders alone and in pairs, by network."""
    paired = sides(lesson_08.draw(bench.sampler, run, PAIRS))
    return pulls_alone(bench, run) | {f"pairs, {name}": r.pulls(paired) for name, r in bench.in_pairs.items()}


def pulls_alone(
    bench: Bench, run: Path | Adapter | None, strength: float = lesson_08.STRENGTH
) -> dict[str, Scores]:
    """Return the pulls of bystanders alone, by network."""
    alone = lesson_08.draw(bench.sampler, run, BYSTANDERS, strength=strength)
    return {name: r.pulls(alone) for name, r in bench.alone.items()}


def _of_base(bench: Bench) -> dict[str, Any]:
    """Return what the base draws before any training, the floor and the ceiling of each measure, and the
    known cases.
    """
    judge, sampler = judges.find(bench.sampler.base), bench.sampler
    alone, paired = (lesson_08.draw(sampler, None, prompts) for prompts in (BYSTANDERS, PAIRS))
    concepts = [thing for pair in PAIRS for thing in pair.split(" and ")]
    trained = judge.image_features([p.image for p in bench.owl.train])
    return {
        "drawn alone": measures.figures_present(judge, alone, _each(BYSTANDERS)),
        "drawn in pairs": measures.figures_present(judge, sides(paired), _each(concepts)),
        "pulls": pulls(bench, None),
        "of held-out owls": {n: r.known_pulls(bench.held_out) for n, r in bench.alone.items()},
        "of held-out foxes": {
            n: r.known_pulls([p.image for p in bench.fox.held_out]) for n, r in bench.alone.items()
        },
        "subject": bench.subject_match(
            lesson_08.draw(sampler, None, [f"an owl {place}" for place in PLACES])
        ),
        "training pictures": round(metrics.style_match(trained, judge.image_features(bench.held_out)), 4),
    }


def _each(things: Sequence[str]) -> list[str]:
    return [thing for thing in things for _ in SEEDS]


def _by_prompt_alone(bench: Bench) -> dict[str, Scores]:
    """Return similarity to the training and to the held-out pictures of eight drawings by words alone, and of
    eight with the adapter that has a class noun.
    """
    judge = judges.find(bench.sampler.base)
    trained = judge.image_features([p.image for p in bench.owl.train])
    run, subject = _run_dir("class noun", TRAINING_SEEDS[0]), REMEDIES["class noun"].subject
    result = {}
    for name, adapter, prompt in (("words", None, PROMPT), ("adapter", run, subject)):
        images = lesson_08.draw(bench.sampler, adapter, [prompt], PROMPT_SEEDS)
        result[name] = bench.subject_match(images)
        result[f"{name}, to training pictures"] = nearest_scores(judge.image_features(images), trained)
    return result


def _two_characters(bench: Bench, seed: int) -> dict[str, dict[str, list[list[int]]]]:
    """Return the confusion tables of one file and of two files added; see `confusion`."""
    base = bench.sampler.base
    fox = lesson_08.train_fox(base, bench.fox, seed, _run_dir("fox", seed))
    both = lesson_08.train_both(base, bench.owl, bench.fox, seed, _run_dir("both", seed))
    owl = files.read(_run_dir("class noun", seed))
    added = combine.combine([owl, files.read(fox.folder)], [1.0, 1.0])
    return {"one file": confusion(bench, both.folder), "two files added": confusion(bench, added)}


def confusion(bench: Bench, adapter: Path | Adapter) -> dict[str, list[list[int]]]:
    """Return for each network how often owl, fox and neither were drawn where the owl, and where the fox, was
    asked for.
    """
    tables: dict[str, list[list[int]]] = {name: [] for name in bench.alone}
    for subject in (lesson_08.OWL_SUBJECT, lesson_08.FOX_SUBJECT):
        images = lesson_08.draw(bench.sampler, adapter, [f"{subject} {place}" for place in PLACES])
        for name, table in tables.items():
            shown = bench.alone[name].shown(images)
            table.append([shown.count(place) for place in range(3)])
    return tables


def record() -> None:
    """Train every remedy with every training seed, then both characters, and save what came out."""
    bench = Bench.prepare()
    prior = lesson_08.class_pictures(bench.sampler)
    for names, trial in _parts(bench, prior).values():
        long_run.resume_trials(_rows_file(), _trials(names), trial)
    save_finished()


def save_finished() -> None:
    """Save what a run that was stopped has so far: of the remedies, the training seeds that all have, or else
    what there is of the first. The lesson says what is missing.
    """
    path = _rows_file()
    done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = {
        part: [done[name] for name, _ in _trials(names) if name in done] for part, names in _NAMES.items()
    }
    seeds = [row["seed"] for row in parts["rows"]]
    whole = [seed for seed in TRAINING_SEEDS if seeds.count(seed) == len(REMEDIES)] or TRAINING_SEEDS[:1]
    left_out = [f"{row['remedy']}, seed {row['seed']}" for row in parts["rows"] if row["seed"] not in whole]
    if left_out:
        print(f"left out, as their seed lacks other remedies: {'; '.join(left_out)}")
    parts["rows"] = [row for row in parts["rows"] if row["seed"] in whole]
    first = {part: values[0] for part in ("base", "words") if (values := parts.pop(part))}
    recorded.save(NAME, {"bystanders": BYSTANDERS, "pairs": PAIRS, "prompt": PROMPT} | parts | first)


_NAMES = {
    "base": ("the base",),
    "rows": tuple(REMEDIES),
    "weaker": tuple(f"{PLAIN}, drawn at {strength:g}" for strength in WEAKER),
    "words": ("words alone",),
    "characters": ("two characters",),
}


def _parts(bench: Bench, prior: Sequence[Picture]) -> dict[str, tuple[tuple[str, ...], long_run.Trial]]:
    """Return the names of the trials of each part of the record, and what makes one."""

    def remedy_row(name: str, seed: int) -> long_run.Row:
        run_dir, remedy = _run_dir(name, seed), REMEDIES[name]
        run = lesson_08.train_remedy(bench.sampler.base, bench.owl, remedy, prior, seed, run_dir)
        subject = bench.subject_match(lesson_08.draw(bench.sampler, run.folder, remedy.prompts))
        return {"remedy": name, "seed": seed, "subject": subject} | pulls(bench, run.folder)

    def weaker_row(name: str, seed: int) -> long_run.Row:
        strength, run_dir = float(name.split()[-1]), _run_dir(PLAIN, seed)
        owls = lesson_08.draw(bench.sampler, run_dir, REMEDIES[PLAIN].prompts, strength=strength)
        row = {"strength": strength, "seed": seed, "subject": bench.subject_match(owls)}
        return row | pulls_alone(bench, run_dir, strength)

    makers: dict[str, long_run.Trial] = {
        "base": lambda _, __: _of_base(bench),
        "rows": remedy_row,
        "weaker": weaker_row,
        "words": lambda _, __: _by_prompt_alone(bench),
        "characters": lambda _, seed: {"seed": seed, **_two_characters(bench, seed)},
    }
    return {part: (names, makers[part]) for part, names in _NAMES.items()}


def _run_dir(name: str, seed: int) -> Path:
    return long_run.WORK_DIR / f"{name.replace(' ', '_')}_{seed}"


def _rows_file() -> Path:
    return long_run.WORK_DIR / f"{NAME}.json"


def _trials(names: Sequence[str]) -> list[tuple[str, tuple[str, int]]]:
    """Return the trials of some names, as `long_run.resume_trials` takes them: with every training seed, but
    the base and words alone once.
    """
    key = f"{lesson_08.SHARE_OF_STEPS} of the steps, {recorded.base_fingerprint()}"
    seeds = TRAINING_SEEDS[:1] if names[0] in ("the base", "words alone") else TRAINING_SEEDS
    return [(f"{name}, training seed {seed}, {key}", (name, seed)) for seed in seeds for name in names]


def save_opening_picture(path: Path = NOTEBOOK_PICTURES / "08_everyone.jpg") -> None:
    """Draw four bystanders by the base and with the adapters of `_PICTURE_OF`, from the runs of `record`. The
    rows have letters, as the lesson asks what was different.
    """
    sampler, things = Sampler("pocket"), BYSTANDERS[:4]
    runs = {name: _run_dir(name, TRAINING_SEEDS[0]) for name in _PICTURE_OF}
    rows = [flatten(sampler.sample(things, [2]))]
    rows += [lesson_08.draw(sampler, run, things, [2]) for run in runs.values()]
    path.write_bytes(notebook.image_grid(rows, ["base", *"ABCD"], side=150).data)


if __name__ == "__main__":
    long_run.command_line(
        "lesson_08_record", {"record": record, "save": save_finished, "picture": save_opening_picture}
    )
