"""The picker recommends the earliest checkpoint that cannot be told from the best, and says why."""

import dataclasses

import pytest
import torch
from PIL import Image

from lessons_lib import cli
from lessons_lib.adapters.run import OTHER_FORMATS, STEPS, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import lesson_05, recorded
from lessons_lib.dataset import captions
from lessons_lib.evaluation import picker, picker_chart
from lessons_lib.evaluation.picker import Candidate
from lessons_lib.models import bases, families
from lessons_lib.training import train

POCKET = bases.find("pocket")

BASE = Candidate(0, 0.0, (0.2,) * 8, (0.9,) * 8)


def candidate(step, strength, style, prompt, spread=0.01):
    shifts = [spread * (-1) ** i for i in range(8)]
    return Candidate(step, strength, tuple(style + s for s in shifts), (prompt,) * 8)


def test_of_candidates_that_cannot_be_told_apart_the_earliest_is_recommended():
    best = candidate(400, 1.0, 0.52, 0.85)
    early = candidate(100, 1.0, 0.51, 0.85, spread=0.05)
    choice = picker.choose(BASE, [candidate(50, 1.0, 0.3, 0.9), early, best])
    assert choice.candidate == early
    assert "cannot be told from the highest, 0.52 (step 400 at strength 1)" in choice.reason


def test_a_checkpoint_that_forgot_the_prompt_is_not_recommended():
    choice = picker.choose(BASE, [candidate(100, 1.0, 0.4, 0.8), candidate(800, 1.0, 0.7, 0.3)])
    assert choice.candidate.step == 100 and "the highest of those that keep the prompt" in choice.reason


def test_where_none_keeps_the_prompt_the_reason_says_so():
    choice = picker.choose(BASE, [candidate(100, 1.0, 0.4, 0.2), candidate(200, 0.5, 0.5, 0.5)])
    assert choice.candidate.step == 200 and "no candidate keeps 60%" in choice.reason


def test_a_checkpoint_past_the_lowest_held_out_loss_is_not_recommended():
    early, late = candidate(100, 1.0, 0.5, 0.8), candidate(800, 1.0, 0.7, 0.8)
    options = [dataclasses.replace(early, validation=1.0), dataclasses.replace(late, validation=1.4)]
    choice = picker.choose(BASE, options)
    assert choice.candidate.step == 100 and "its held-out loss, 1.00, is near the lowest" in choice.reason


@pytest.mark.parametrize("seed", lesson_05.TRAINING_SEEDS)
def test_on_the_recorded_trainings_it_is_within_one_count_of_the_lowest_held_out_loss(seed):
    rows = [row for row in recorded.load("how_many_steps")["result"]["rows"] if row["seed"] == seed]
    base, *options = [
        Candidate(row["count"], 1.0, tuple(row["style"]), tuple(row["prompt_rank"]), row["validation"])
        for row in rows
    ]
    counts = [one.step for one in options]
    lowest = min(options, key=lambda one: one.validation).step
    choice = picker.choose(base, options).candidate.step
    assert abs(counts.index(choice) - counts.index(lowest)) <= 1


def test_where_no_prompt_names_a_concept_the_prompt_match_is_said_not_to_be_measured():
    base, early, best = (
        Candidate(step, 1.0, (style,) * 8, ()) for step, style in ((0, 0.1), (5, 0.3), (9, 0.5))
    )
    choice = picker.choose(base, [early, best])
    assert choice.candidate == best and best.prompt_text == "not measured"
    style, prompt = choice.reason.split("; ")
    assert style == "its style match, 0.50, is the highest"
    assert prompt == "its prompt match is not measured, as no prompt names a known concept"


def test_a_prompt_is_cut_so_that_the_trigger_is_read(practice, tmp_path, monkeypatch):
    run = Run(tmp_path, Settings(trigger="thgh96").resolve(POCKET))
    (tmp_path / "log.jsonl").touch()
    prompts = []
    monkeypatch.setattr(picker, "checkpoints", lambda run: {})
    monkeypatch.setattr(
        picker,
        "candidates",
        lambda sampler, folders, triggered, *_: prompts.extend(triggered) or (BASE, [BASE]),
    )
    picker.pick(None, run, practice, ["a castle " * 60], [1])
    tokenizer = families.find(POCKET.family).load_tokenizer(POCKET)
    assert prompts[0].endswith("thgh96") and not captions.find_overlong(
        prompts, tokenizer, POCKET.caption_tokens
    )


def test_the_commands_help_names_the_pickers_own_defaults(capsys):
    with pytest.raises(SystemExit):
        cli.main(["pick", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    *most, last = (f"{strength:g}" for strength in picker.STRENGTHS)
    assert f"(default: {picker.KEEP:g})" in text and f"(default: {', '.join(most)} and {last})" in text
    with pytest.raises(SystemExit):
        cli.main(["pick", "runs/x", "--seed", str(2**70)])


def test_without_candidates_there_is_nothing_to_choose():
    with pytest.raises(ValueError, match="expected at least one checkpoint"):
        picker.choose(BASE, [])


def test_the_frontier_leaves_out_what_another_beats_in_both():
    low, high, beaten = candidate(1, 1, 0.3, 0.9), candidate(2, 1, 0.6, 0.5), candidate(3, 1, 0.25, 0.4)
    assert picker.frontier([high, beaten, low]) == [low, high]


def test_the_chart_is_one_jpeg_that_names_the_choice():
    choice = picker.choose(BASE, [candidate(100, 1.0, 0.4, 0.8), candidate(800, 0.5, 0.7, 0.3)])
    shown = picker_chart.chart(choice)
    assert shown.data[:2] == b"\xff\xd8" and "step 100 at strength 1" in shown.metadata["alt"]


def test_a_run_that_kept_its_last_adapter_alone_says_how_to_keep_more(tmp_path, capsys):
    Run(tmp_path, Settings(trigger="thgh96", steps=80).resolve(POCKET)).save()
    assert cli.main(["pick", str(tmp_path)]) == 1
    assert "--keep-adapters, and with --sample-every 10" in capsys.readouterr().err


class GreySampler:
    """Draws grey pictures that grow lighter with the checkpoint and the strength."""

    def __init__(self, base):
        self.base, self.level = base, 0

    def load(self, folder):
        self.level = int(folder.name)

    def unload(self):
        self.level = 0

    def sample(self, prompts, seeds, strength):
        value = int(self.level * strength)
        return [[Image.new("RGB", (32, 32), (value, seed, 0)) for seed in seeds] for _ in prompts]


def test_every_checkpoint_is_drawn_at_every_strength_and_the_base_once(tmp_path, monkeypatch):
    monkeypatch.setattr(picker.judges, "find", lambda base: LightJudge())
    folders = {step: tmp_path / str(step) for step in (10, 20)}
    before, options = picker.candidates(GreySampler(POCKET), folders, ["a castle"], [1, 2], [], (0.5, 1.0))
    assert (before.step, before.strength) == (0, 0.0)
    assert [(one.step, one.strength) for one in options] == [
        (step, factor * POCKET.strength) for step in (10, 20) for factor in (0.5, 1.0)
    ]
    assert options[-1].style > options[0].style > before.style


class LightJudge:
    """Measures how light a picture is."""

    def image_features(self, images):
        if not len(images):
            return torch.ones(1, 1)
        return torch.tensor([[image.getpixel((0, 0))[0] / 255] for image in images])

    def concepts(self):
        raise FileNotFoundError


def test_a_run_that_is_replaced_leaves_no_adapter_or_chart_to_the_next(practice, tmp_path):
    settings = Settings(trigger="thgh96", steps=2, batch=1, rank=1, sample_every=1, keep_adapters=True)
    run = train.train(practice, settings, tmp_path / "run")
    for name in ("pick.jpg", "steps/000001/notes.txt", "steps/000009.txt"):
        (run.folder / name).touch()
    (run.folder / OTHER_FORMATS).rename(tmp_path / "loras")
    (run.folder / OTHER_FORMATS).symlink_to(tmp_path / "loras")
    (tmp_path / "loras" / "mine_comfyui.safetensors").touch()
    other = dataclasses.replace(settings, seed=1, keep_adapters=False)
    train.train(practice, other, run.folder, replace=True)
    with pytest.raises(ValueError, match="keeps only its last adapter"):
        picker.checkpoints(run)
    empty = {path.name for path in tmp_path.rglob("*") if path.is_file() and not path.stat().st_size}
    assert empty == {"notes.txt", "000009.txt", "mine_comfyui.safetensors"}


def test_a_run_keeps_the_adapters_that_lessons_pick_chooses_from(practice, tmp_path):
    settings = Settings(trigger="thgh96", steps=3, batch=1, rank=2, sample_every=1, keep_adapters=True)
    run = train.train(practice, settings, tmp_path / "run")
    assert sorted(path.name for path in (run.folder / STEPS).iterdir()) == ["000001", "000002"]
    folders = picker.checkpoints(run)
    assert list(folders) == [1, 2, 3]
    assert (
        len({(folder / "pytorch_lora_weights.safetensors").read_bytes() for folder in folders.values()}) == 3
    )
