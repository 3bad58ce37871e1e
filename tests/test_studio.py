"""The studio's folder is its state: pictures and their table, choices, the run; no widget is shown here."""

import asyncio
import csv
import dataclasses
import html
import io
import threading
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lessons_lib.adapters.run import WEIGHTS_NAME, Outcome
from lessons_lib.dataset import crops
from lessons_lib.dataset.dataset import scan
from lessons_lib.paths import SAMPLE
from lessons_lib.session import Session
from lessons_lib.studio import activity, advice, page, places, takeaway, widgets, work
from lessons_lib.studio.pictures import box_place
from lessons_lib.studio.project import Project
from lessons_lib.studio.steps.captions import CaptionsStep
from lessons_lib.studio.steps.rights import RightsStep
from lessons_lib.studio.steps.sharing import SharingStep
from lessons_lib.training.train import Trainer

PAINTINGS = sorted((SAMPLE / "train").glob("*.jpg"))


@pytest.fixture
def studio(tmp_path):
    """A studio with four paintings and a word."""
    project = Project(tmp_path / "album")
    project.pictures.add(PAINTINGS[:4])
    project.choose(trigger="mugh4l", steps=4, rank=2)
    return project


def names(pictures):
    return [picture.path.name for picture in pictures]


def photo_with_place(color="teal"):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[2] = (48.0, 12.0, 0.0)
    out = io.BytesIO()
    Image.new("RGB", (200, 260), color).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_pictures_come_in_with_their_captions_and_rights(studio):
    first = studio.pictures.dataset().train[0]
    assert first.caption == "a prince riding an elephant past a tree, a man walking behind"
    assert first.rights["licence"] == "CC0-1.0" and first.path.read_bytes() == PAINTINGS[0].read_bytes()


def test_a_broken_file_loses_no_good_one_and_is_named(studio):
    upload = {"b.jpg": {"content": photo_with_place()}, "c.jpg": {"content": b"\xff\xd8\xff no"}}
    added = studio.pictures.add(upload)
    assert added.names == ["b.jpg"] and len(added.problems) == 1 and "c.jpg" in added.problems[0][1]
    assert len(studio.pictures.dataset().pictures) == 5


def test_no_copy_says_where_it_was_taken(studio):
    added = studio.pictures.add({"b.jpg": photo_with_place()})
    copy = next(p for p in studio.pictures.dataset().pictures if p.path.name == "b.jpg")
    assert added.with_place == 1 and not Image.open(copy.path).getexif()


def test_the_same_picture_is_not_added_twice_and_another_of_its_name_is(studio):
    again = studio.pictures.add(PAINTINGS[:4])
    assert again.names == [] and again.repeated == 4
    other = studio.pictures.add({PAINTINGS[0].name: photo_with_place("navy")})
    assert other.names == ["01_prince_on_elephant_2.jpg"]


def test_a_zip_is_an_upload_too(studio):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(PAINTINGS[5], "inside/p.jpg")
    assert studio.pictures.add([{"name": "a.zip", "content": out.getvalue()}]).names == ["p.jpg"]


def test_a_mask_comes_with_its_picture_and_turns_with_it(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    Image.new("RGB", (200, 300), "teal").save(given / "a.png")
    mask = Image.new("L", (200, 300))
    mask.paste(255, (0, 0, 200, 150))
    mask.save(given / "a-masklabel.png")
    project = Project(tmp_path / "album")
    project.pictures.add(given)
    project.pictures.turn("a.png")
    (picture,) = project.pictures.dataset().train
    turned = picture.mask.decode().image.convert("L")
    assert turned.size == (300, 200) and turned.getpixel((290, 9)) == 255 and turned.getpixel((9, 9)) == 0


def test_a_picture_that_cannot_be_turned_stays_as_it_was(tmp_path, monkeypatch):
    def stop_half_way(image, path, *more):
        Path(path).write_bytes(b"half")
        raise OSError("no room")

    pictures = Project(tmp_path / "album").pictures
    out = io.BytesIO()
    Image.new("RGB", (200, 300), "teal").save(out, "PNG")
    pictures.add({"a.png": out.getvalue()})
    before = (pictures.folder / "a.png").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(Image.Image, "save", stop_half_way)
        pictures.turn("a.png")
    assert (pictures.folder / "a.png").read_bytes() == before
    assert sorted(path.name for path in pictures.folder.iterdir()) == ["a.png", "metadata.csv"]


def test_a_picture_that_is_there_already_leaves_no_mask_for_another_of_its_name(tmp_path):
    given, pictures = tmp_path / "given", Project(tmp_path / "album").pictures
    given.mkdir()
    Image.new("L", (200, 260)).save(given / "a-masklabel.png")
    (given / "a.jpg").write_bytes(photo_with_place("teal"))
    assert [pictures.add(given).repeated for _ in range(2)] == [0, 1]
    pictures.add({"a.jpg": photo_with_place("red")})
    masks = {picture.path.stem: picture.mask for picture in pictures.dataset().pictures}
    assert masks["a"] and masks["a_2"] is None


def test_a_file_that_is_in_no_table_is_not_written_over(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "b.jpg").write_bytes(b"mine")
    assert Project(tmp_path).pictures.add({"b.jpg": photo_with_place()}).names == ["b_2.jpg"]
    assert (tmp_path / "pictures" / "b.jpg").read_bytes() == b"mine"


def test_a_mask_whose_picture_is_gone_is_not_taken_for_another_of_its_name(studio):
    masks = studio.pictures.folder / "masks"
    masks.mkdir()
    Image.new("L", (200, 260)).save(masks / "b.png")
    assert studio.pictures.add({"b.jpg": photo_with_place()}).names == ["b_2.jpg"]


def test_what_is_left_out_can_be_brought_back_with_its_row(studio):
    before = studio.pictures.dataset().pictures[1]
    studio.pictures.leave_out(before.path.name)
    assert len(studio.pictures.dataset().pictures) == 3
    assert names(studio.pictures.left_out_pictures()) == [before.path.name]
    studio.pictures.bring_back(before.path.name)
    after = studio.pictures.dataset().pictures[1]
    assert (after.caption, after.rights) == (before.caption, before.rights)


def test_a_turned_picture_lies_on_its_side_and_has_no_crop(studio):
    first = studio.pictures.dataset().train[0]
    studio.pictures.crop(first.path.name, (0, 0, first.size[0], 100))
    name = studio.pictures.turn(first.path.name)
    turned = studio.pictures.dataset().train[0]
    assert name == "01_prince_on_elephant.png" and turned.size == first.size[::-1]
    assert "crop" not in {key for key, value in turned.more.items() if value}


def test_changes_are_in_a_table_that_every_other_tool_reads(studio):
    first, second = names(studio.pictures.dataset().train)[:2]
    studio.pictures.caption(first, "a tiger,\nasleep")
    studio.pictures.hold_out(second)
    studio.pictures.rights(maker="A Painter", licence="")
    read = scan(studio.folder / "pictures")
    assert read.train[0].caption == "a tiger, asleep" and names(read.held_out) == [second]
    rows = list(csv.DictReader((studio.folder / "pictures" / "metadata.csv").open(encoding="utf-8")))
    assert {row["maker"] for row in rows} == {"A Painter"} and {row["licence"] for row in rows} == {"CC0-1.0"}


def test_a_word_is_replaced_in_every_caption_and_an_edit_keeps_the_others(studio):
    first = names(studio.pictures.dataset().train)[0]
    studio.pictures.caption(first, "a cat on a roof", "a grey cat asleep")
    step = CaptionsStep(page.Page(studio))
    step.build()
    step._replace("cat", "dog")
    captions = studio.pictures.dataset().train[0].captions
    assert captions == ["a dog on a roof", "a grey dog asleep"] and "2 captions" in step.note.value
    field = step.table.children[0].children[1]
    field.value = field.value.replace("grey", "black")
    assert studio.pictures.dataset().train[0].captions == ["a dog on a roof", "a black dog asleep"]


def test_where_every_picture_has_a_caption_none_is_written(studio):
    step = CaptionsStep(page.Page(studio))
    step.build()
    step._write()
    assert "Every picture has a caption" in step.note.value and step.view.children == ()


def test_a_licence_that_the_page_shows_is_written_though_it_comes_after_the_click(studio, monkeypatch):
    monkeypatch.setattr(widgets, "_PAUSE", 0.02)
    step = RightsStep(page.Page(studio))
    *_, buttons = step.build()

    async def press_keys_while_the_kernel_is_busy():
        step.maker.value = "A Painter"
        step.licence.index = 3
        buttons.children[0].click()  # sent at once, while the page keeps back the second change of the list
        step.licence.index = 4
        await asyncio.sleep(0.05)

    asyncio.run(press_keys_while_the_kernel_is_busy())
    assert "A Painter, CC-BY-SA-4.0" in step.overview.value and "Written on 4 pictures" in step.note.value


def test_a_name_that_is_not_there_is_refused_by_name(studio):
    with pytest.raises(ValueError, match="no picture called 'x.jpg'"):
        studio.pictures.hold_out("x.jpg")


def test_choices_are_there_again_for_another_kernel(studio):
    studio.choose(mode="concept", prompts=("in a garden",))
    assert Project(studio.folder).choices == studio.choices
    assert Project(studio.folder).settings().trigger == "mugh4l"


def test_a_forecast_is_dropped_when_what_it_was_for_changes(studio):
    studio.choose(forecast="9 s")
    studio.choose(prompts=("a boat",))
    assert studio.choices.forecast == "9 s"
    studio.choose(steps=8)
    assert studio.choices.forecast == ""


@pytest.mark.parametrize(("steps", "line"), [(4, "9 s"), (8, "")])
def test_measuring_costs_keeps_the_run_and_no_line_for_choices_that_changed(studio, monkeypatch, steps, line):
    def train(trainer, out, on_forecast):
        studio.choose(steps=steps)
        on_forecast("9 s")

    monkeypatch.setattr(Trainer, "train", train)
    studio.choose(run="earlier")
    work.forecast(studio).wait(60)
    assert (studio.choices.run, studio.choices.forecast) == ("earlier", line)


def test_a_step_that_was_passed_keeps_its_mark_when_an_earlier_one_is_opened_again(studio):
    first = page.Page(studio)
    marks = [row.title.description[0] == "\u2713" for row in first._rows]
    first.open(7)
    first.open(0)
    again = [row.title.description[0] == "\u2713" for row in page.Page(Project(studio.folder))._rows]
    assert not any(marks[i] for i in (1, 5, 6)) and all(again[:7])


def test_a_damaged_state_says_what_to_do(studio):
    (studio.folder / "studio.json").write_text("{")
    with pytest.raises(ValueError, match="damaged.*Remove that file"):
        Project(studio.folder)


@pytest.mark.parametrize("size", [(300, 200), (200, 300)])
def test_the_square_of_a_picture_moves_along_its_long_side(size):
    boxes = [crops.square_box(size, place) for place in (0, 0.5, 1)]
    assert all(right - left == bottom - top == 200 for left, top, right, bottom in boxes)
    assert [box_place(size, box) for box in boxes] == [0, 0.5, 1]


def test_a_training_is_stopped_goes_on_and_can_be_taken_along(studio):
    running = work.train(studio)
    running.on_change = lambda one: one.stop()
    running.wait(120)
    assert studio.run().outcome is Outcome.STOPPED and 0 < studio.steps_kept() < 4
    run = work.train(Project(studio.folder)).wait(120)
    assert run.outcome is Outcome.DONE and run.resumed_from and studio.steps_kept() == 0
    with zipfile.ZipFile(takeaway.bundle(run)) as archive:
        files = {name.rsplit("/")[-1] for name in archive.namelist()}
    assert {WEIGHTS_NAME, "README.md", "album_comfyui.safetensors"} == files
    studio.choose(steps=6)
    assert studio.prepare()[1].name == "mugh4l-2"  # another training; the first one stays


def test_rights_that_are_written_after_the_training_are_in_the_card(studio):
    for name in names(studio.pictures.dataset().pictures):
        studio.pictures.rights([name], licence="CC-BY-4.0", maker="A Painter")
    run = work.train(studio).wait(120)
    studio.pictures.rights(maker="Another Painter")
    assert takeaway.renew_card(run) == ""
    card = (run.folder / "README.md").read_text(encoding="utf-8")
    assert "Another Painter" in card and "| A Painter" not in card
    studio.pictures.turn(names(studio.pictures.dataset().pictures)[0])
    step = SharingStep(page.Page(studio))
    step.build()
    assert "pictures were changed since" in step.note.value
    assert (run.folder / "README.md").read_text(encoding="utf-8") == card


def test_one_thing_at_a_time_is_done_and_what_fails_says_why(tmp_path):
    def fail(one):
        one.progress(1, 2)
        raise ValueError("no\nroom")

    failing = activity.begin(tmp_path, "A thing", fail)
    with pytest.raises(RuntimeError, match="no room"):
        failing.wait(10)
    assert activity.current(tmp_path) is None and failing.done == 1


def test_a_step_shows_its_own_work_and_not_that_of_another(studio):
    gate = threading.Event()
    training = activity.begin(studio.folder, activity.Work.TRAINING, lambda _: gate.wait(20))
    the_page = page.Page(studio)
    steps = {type(step).__name__: step for step in the_page.steps}
    assert the_page.steps.index(steps["TrainingStep"]) == the_page._start()
    assert steps["TrainingStep"].needs() == "The training is going on."
    for name in ("CaptionsStep", "LengthStep", "ComparisonStep"):
        steps[name].build()
        assert steps[name].view.children == () and steps[name].own_activity() is None
    gate.set()
    training.wait(20)
    assert steps["CaptionsStep"].note.value == ""


def test_captions_that_are_being_written_are_no_training(studio):
    gate = threading.Event()
    captions = activity.begin(studio.folder, activity.Work.CAPTIONS, lambda _: gate.wait(20))
    training = next(step for step in page.Page(studio).steps if step.work is activity.Work.TRAINING)
    assert training.needs() == "Needs a training."
    gate.set()
    captions.wait(20)


def test_what_nobody_foresaw_is_said_to_be_the_courses_fault(tmp_path):
    failing = activity.begin(tmp_path, "A thing", lambda one: {}["key"])
    with pytest.raises(RuntimeError, match="did not foresee: KeyError"):
        failing.wait(10)


def test_a_page_that_cannot_be_drawn_does_not_end_the_work(tmp_path):
    def fail(one):
        if one.state == "running":
            raise OSError("no network")

    gate = threading.Event()
    running = activity.begin(tmp_path, "A thing", lambda one: gate.wait(20) and one.progress(1, 2) or "whole")
    running.on_change = fail
    gate.set()
    assert running.wait(10) == "whole" and "no network" in running.message


def test_a_report_that_comes_through_again_takes_the_fault_away(monkeypatch):
    monkeypatch.setattr(activity, "_PAUSE", -1.0)
    running, shown = activity.Activity("A thing", lambda one: None), []
    running.on_change = lambda one: {}["network"]
    running.progress(1, 3, "drawing")
    assert "network" in running.message
    running.on_change = lambda one: shown.append(one.message)
    running.progress(2, 3)
    running.progress(3, 3)
    assert shown[-1] == running.message == "drawing"


def test_samples_are_named_by_the_prompts_of_their_training_and_not_by_what_is_chosen_now(
    studio, monkeypatch
):
    work.train(studio).wait(120)
    monkeypatch.setattr(Project, "settings", lambda self: pytest.fail("the base chosen now is asked"))
    studio.choose(base="flux1-dev", prompts=("another thing",))
    step = next(step for step in page.Page(studio).steps if step.work is activity.Work.TRAINING)
    step.build()
    assert all(html.escape(prompt) in step.samples.value for prompt in studio.run().settings.sample_prompts)


def test_a_base_that_does_not_fit_is_said_before_anything_is_downloaded():
    import torch

    laptop = Session("pocket", torch.device("cpu"), torch.float32, 2, 8.0, "none", 0.0)
    t4 = Session("t4", torch.device("cuda"), torch.float16, 2, 12.7, "T4", 15.8)
    assert advice.misfit(advice.BASES["flux1-dev"], t4) == "" and "needs" in advice.misfit(
        advice.BASES["flux1-dev"], dataclasses.replace(t4, gpu_gb=4.0)
    )
    assert "in nf4" in dict(advice.facts(advice.BASES["flux1-dev"], t4))["memory"]
    assert advice.choices(laptop)[0].name == "pocket"
    assert "this machine has none" in advice.misfit(advice.BASES["sd15"], laptop)
    assert dict(advice.facts(advice.BASES["flux1-dev"], laptop))["gate"].startswith("asks you to log in")


def test_a_small_file_has_an_address_without_a_server(tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", "0")
    path = tmp_path / "README.md"
    path.write_text("hello")
    assert takeaway.address(path).endswith(";base64,aGVsbG8=")


def test_drive_is_refused_outside_colab():
    assert places.studio_folder("a b").name == "a-b"
    with pytest.raises(ValueError, match="in Colab only"):
        places.studio_folder("x", on_drive=True)
