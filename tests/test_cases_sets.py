"""Sets as other people leave them: folders of tests/cases with the commands of their expected.md."""

from __future__ import annotations

import dataclasses
import re
import shutil
import unicodedata
from pathlib import Path

import pytest

from lessons_lib import cli
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.dataset import sources
from lessons_lib.models.bases import BASES
from lessons_lib.training import train

CASES = Path(__file__).parent / "cases"
REAL_TRAIN = train.train


class Shell:
    """Runs `lessons` in a case's folder; a training is replaced by a note of what it would be given."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.folder, self.capsys = folder, capsys
        self.trainings: list[train.Trainer] = []
        self.out = self.err = ""

    def train(self, dataset, settings, out, *_):
        self.trainings.append(train.Trainer(BASES["pocket"], dataset, settings))
        return Run(Path(out), settings, Outcome.STOPPED)

    def __call__(self, *words: str) -> int:
        code = cli.main(words)
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.out + self.err
        return code

    def captions(self, folder: str, word: str, *more: str) -> dict[str, str]:
        """Return what each picture is taught with, by the name of its file."""
        self("check", folder, "--trigger", word, "--captions", *more)
        lines = (line.split(" | ") for line in self.out.splitlines())
        return {Path(path).name: text for path, text in lines}

    def lines(self, pattern: str) -> list[str]:
        return [line for line in self.out.splitlines() if re.search(pattern, line)]


@pytest.fixture
def shell(request, tmp_path, monkeypatch, capsys):
    """The case that a test is named after, copied, with its folder as the working directory."""
    (case,) = CASES.glob(f"{re.search('case_([0-9]+)', request.function.__name__)[1]}_*")
    shutil.copytree(case, tmp_path / "case")
    monkeypatch.chdir(tmp_path / "case")
    shell = Shell(tmp_path / "case", capsys)
    monkeypatch.setattr(train, "train", shell.train)
    return shell


TRAIN = ("--steps", "2", "--prompt", "a horse")


def test_case_04_commas_in_a_caption_without_quotes(shell):
    assert shell("check", "pictures", "--trigger", "zq7x") == 0
    assert shell.lines(r"3 rows .*a.jpg.*without quotation marks; the caption is read whole")
    shell("train", "pictures", "--trigger", "zq7x", *TRAIN)
    assert shell.lines("3 rows") and shell.lines("a.jpg: caption longer .* not read: 'morning light'")
    assert shell.trainings[0].dataset.train[0].caption == "a kettle on a stove, steam, morning light"
    assert shell.captions("pictures", "zq7x")["a.jpg"] == "a kettle on a stove, steam, morning light, zq7x"
    assert shell.captions("pictures", "zq7x")["e.jpg"] == "a lamp, a chair, a window, zq7x"


@pytest.mark.parametrize("name", ["spaces", "prompt", "split", "nan", "semicolon"])
def test_case_05_a_table_that_is_nearly_right(shell, name):
    assert shell("check", name, "--trigger", "zq7x") == 0
    captions = shell.captions(name, "zq7x")
    kettle = {"nan": "zq7x", "semicolon": "a kettle on a stove, by day, zq7x"}
    assert captions["a.jpg"] == kettle.get(name, "a kettle on a stove, zq7x")
    assert captions["b.jpg"].startswith("a goat on a wall") and captions["c.jpg"] != "NULL, zq7x"
    assert ("d.jpg" in captions) == (name != "split") and len(captions) in (3, 4)


def test_case_06_a_quotation_mark_that_is_never_closed(shell):
    assert shell("check", "pictures", "--trigger", "zq7x") == 1
    (line,) = shell.lines("must fix")
    assert re.search(r"row 5 \(e.jpg\): a quotation mark is not closed", line)
    assert not shell.lines("Add a row")
    assert shell("train", "pictures", "--trigger", "zq7x", *TRAIN) == 1
    assert "row 5 (e.jpg)" in shell.err and "--anyway" in shell.err and not shell.trainings
    captions = shell.captions("pictures", "zq7x")
    assert captions["f.jpg"] == "a thing by the name of f, zq7x" and captions["e.jpg"] == "zq7x"


@pytest.mark.parametrize("name", ["captions_csv", "Metadata_csv", "camera", "double", "json", "renamed"])
def test_case_07_files_that_look_like_captions(shell, name):
    assert shell("check", name, "--trigger", "zq7x") == 0
    if name == "renamed":
        (line,) = shell.lines(r"a_old.txt, b_old.txt, c_old.txt")
        assert "a.jpg is expected in a.txt" in line
    else:
        assert not shell.lines("no caption")
        texts = [f"{text}, zq7x" for text in ("a kettle on a stove", "a goat on a wall", "a red barn")]
        assert list(shell.captions(name, "zq7x").values()) == texts


@pytest.mark.parametrize("name", ["lines", "list"])
def test_case_08_more_than_one_caption_a_picture(shell, name):
    assert shell("check", name, "--trigger", "zq7x") == 0
    assert shell.lines(r"3 (pictures|rows) \(a.jpg, b.jpg, c.jpg\) with several captions.*one at random")
    shell("check", name, "--trigger", "zq7x", "--captions")
    rest = [", zq7x", ", seen from above, zq7x"] if name == "lines" else [", zq7x", " at dusk, zq7x"]
    texts = [line.removeprefix(f"{name}/a.jpg | a kettle on a stove") for line in shell.out.splitlines()[:2]]
    assert texts == rest
    shell("train", name, "--trigger", "zq7x", *TRAIN)
    captions = shell.trainings[0].captions["train"]
    assert [len(of_picture) for of_picture in captions] == [3 if name == "lines" else 2] * 3


def test_case_09_places_kept_for_the_trigger_word(shell):
    shell("check", "pictures", "--trigger", "zq7x")
    prompt = "a drawing of [trigger] at night"
    shell("train", "pictures", "--trigger", "zq7x", "--steps", "2", "--prompt", prompt)
    assert shell.trainings[0].settings.sample_prompts == ("a drawing of zq7x at night",)
    assert shell.captions("pictures", "zq7x") == {
        "a.jpg": "a drawing of zq7x beside a kettle",
        "b.jpg": "zq7x, a goat on a wall",
        "c.jpg": "a red barn by zq7x",
        "d.jpg": "zq7x with two ladders",
    }


@pytest.mark.parametrize("name, word", [("dash", "zq-7"), ("line", "zq_7"), ("accent", "zq\u00e97")])
def test_case_10_the_trigger_word_is_in_the_captions_already(shell, name, word):
    shell("check", name, "--trigger", word)
    assert not shell.lines("should mean one thing only")
    for form in ("NFC", "NFD"):
        texts = shell.captions(name, unicodedata.normalize(form, word)).values()
        assert [text.count(word) for text in texts] == [1, 1, 1] and not any("," in t[-4:] for t in texts)


def test_case_11_folders_of_another_trainer(shell):
    shell("check", "set", "--trigger", "zq7 cat")
    assert shell.lines(r"5 pictures left out \(r0.jpg.*never taught with the trigger word.*--prior set/reg")
    assert shell.lines(r"repeats are 10, the same for all pictures, .*drawn equally often")
    captions = shell.captions("set", "zq7 cat", "--mode", "concept")
    assert captions == {f"{name}.jpg": "zq7 cat" for name in "abcde"}
    shell(
        "train", "set", "--trigger", "zq7 cat", "--mode", "concept", "--steps", "2", "--prompt", "in a garden"
    )
    assert shell.lines("--prior set/reg") and len(shell.trainings[0].dataset.train) == 5


@pytest.mark.parametrize("name", ["beside", "folder"])
def test_case_12_masks_beside_the_pictures(shell, name):
    shell("check", name, "--trigger", "zq7x")
    assert shell.lines("^fine: 4 pictures to train on")
    assert shell.lines(r"4 masks used \(a.*\): what is black in a mask counts less")
    shell("train", name, "--trigger", "zq7x", *TRAIN)
    assert shell.lines("4 masks used") and all(p.mask for p in shell.trainings[0].dataset.pictures)


def test_case_13_training_from_inside_the_picture_folder(shell, monkeypatch):
    monkeypatch.setattr(train, "train", REAL_TRAIN)
    monkeypatch.setattr(cli, "SEEDS", (1,))
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], num_inference_steps=1))
    monkeypatch.chdir("pictures")
    assert shell("train", ".", "--trigger", "zq7x", "--steps", "1", "--prompt", "a horse") == 0
    assert Path("runs/zq7x/before_after.jpg").exists() and any(Path("runs/zq7x/samples").iterdir())
    monkeypatch.setattr(train, "train", shell.train)
    shell("train", ".", "--trigger", "zq7x", "--steps", "5", "--prompt", "a horse", "--out", "runs/two")
    assert [p.path.name for p in shell.trainings[0].dataset.pictures] == [f"{c}.jpg" for c in "abcdef"]
    assert shell.lines(r"pictures left out \(runs/zq7x/before_after.jpg.*that training itself made")
    shell("check", ".")
    assert shell.lines("^fine: 6 pictures to train on, 0 held out")


@pytest.mark.parametrize(
    "name, count, line",
    [
        ("phone", 4, r"5 files left out \(IMG_0.heic.*(HEIC).*pillow-heif.*JPEG"),
        ("web", 6, "6 pictures to learn from"),
        ("table", 5, r"3 pictures left out \(f.jpg, g.jpg, h.jpg\): not in the table"),
    ],
)
def test_case_16_what_is_left_out_is_said_before_training(shell, monkeypatch, name, count, line):
    monkeypatch.setattr(sources, "reads_heif", lambda: False)
    shell("train", name, "--trigger", "zq7x", *TRAIN, "--out", f"runs/{name}")
    assert len(shell.trainings[0].dataset.train) == count and shell.lines(line)


@pytest.mark.parametrize(
    "name, line",
    [
        ("mute", r"--prior mute: 3 class pictures without a caption.*an empty caption is taught"),
        ("word", r"--prior word: 3 class pictures with the trigger word 'zq7'"),
        ("same", r"--prior same: 3 class pictures of the subject itself"),
        ("spaces", None),
    ],
)
def test_case_21_class_pictures_that_teach_the_wrong_thing(shell, name, line):
    words = ["train", "cat", "--trigger", "zq7 cat", "--mode", "concept", "--prior", name, "--steps", "2"]
    shell(*words, "--prompt", "in a garden", "--out", f"runs/{name}")
    assert [bool(re.search(line or "$^", text)) for text in shell.lines("--prior")] == [True] * bool(line)
    captions = {"mute": "", "word": "zq7 cat on a chair"}
    assert shell.trainings[0].captions["prior"] == [[captions.get(name, "a cat on a chair")]] * 3


@pytest.mark.parametrize(
    "name, line",
    [
        ("two", "only 2 to train on"),
        ("flat", "one flat colour: w0.png, w1.png, w2.png"),
        ("icons", "white on white: a.png.*transparent"),
    ],
)
def test_case_22_check_and_train_agree_on_what_must_be_fixed(shell, name, line):
    assert shell("check", name) == 1
    assert shell.lines(f"must fix: {line}") and shell.lines("--anyway")
    words = ["train", name, "--trigger", "zq7x", *TRAIN, "--out", f"runs/{name}"]
    assert shell(*words) == 1 and not shell.trainings and "--anyway" in shell.err
    assert shell.lines(f"must fix: {line}")
    assert shell(*words, "--anyway") == cli.INTERRUPTED and len(shell.trainings) == 1


def test_case_23_forty_files_that_are_wrong_in_one_way(shell):
    assert shell("check", "pictures") == 1
    (line,) = shell.lines("LFS")
    assert re.search(r"40 files \(00.jpg.*Git LFS pointer.*git lfs pull", line)
    assert len(shell.out.splitlines()) < 6
