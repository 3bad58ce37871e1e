"""The museums' pictures are fetched with their rights, and whatever a server answers,
no half file is left.
"""

import csv
import re

import pytest
from museum_site import bomb, closed_port, file, jpeg, met_record, record, status, walters_rows
from PIL import Image

from lessons_lib import storage
from lessons_lib.dataset import dataset, museum, sources
from lessons_lib.dataset.http import PoliteClient
from lessons_lib.dataset.museum_records import ORIGINS
from lessons_lib.paths import SAMPLE

pytest_plugins = ["museum_fixtures"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def metadata_of(folder):
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as table:
        return {row["file_name"]: row for row in csv.DictReader(table)}


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_three_museums_give_three_pictures(fetch_to_out, out):
    result = fetch_to_out()
    assert (result.failures, result.fell_back, result.folder) == ({}, False, out)
    assert {p.path.stem: p.split for p in dataset.read(out).pictures} == {
        "walters_1": "train", "met_2": "held_out", "cleveland_3": "train",
    }  # fmt: skip


def test_every_picture_has_its_rights_and_its_caption(fetch_to_out):
    by_name = {p.path.stem: p for p in dataset.read(fetch_to_out().folder).pictures}
    rights = by_name["met_2"].rights
    assert (rights["maker"], rights["date"]) == ("Painting by Nanha", "ca. 1620")
    assert rights["source"] == "The Met, 13.228" and by_name["met_2"].caption == "a king"
    assert all(p.rights["licence"].startswith("CC0-1.0 (") for p in by_name.values())
    assert (
        "isPublicDomain" in rights["licence"] and "no live record" in by_name["walters_1"].rights["licence"]
    )


def test_metadata_has_the_columns_of_the_practice_paintings(fetch_to_out, out):
    fetch_to_out()
    practice = (SAMPLE / "metadata.csv").read_text(encoding="utf-8").splitlines()[0]
    assert (out / "metadata.csv").read_text(encoding="utf-8").splitlines()[0] == practice


@pytest.mark.parametrize(("side", "size"), [(256, (256, 341)), (1024, (300, 400))])
def test_pictures_are_shrunk_to_the_short_side_and_never_enlarged(fetch_to_out, side, size):
    (path,) = fetch_to_out("walters", side).pictures
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.size == size


@pytest.mark.parametrize(("side", "name"), [(1050, "/web.jpg"), (1051, "/print.jpg")])
def test_only_the_picture_of_the_size_that_is_needed_is_requested(fetch_to_out, site, side, name):
    fetch_to_out("cleveland", side)
    assert site.paths == ["/cleveland/3", name]


def test_a_second_lies_between_two_requests(fetch_to_out, site):
    fetch_to_out()
    assert len(site.times) == 5 and all(b - a >= 1 for a, b in zip(site.times, site.times[1:], strict=False))


def test_only_the_museums_named_are_asked(fetch_to_out, site):
    assert len(fetch_to_out("walters, met").pictures) == 2
    assert "/cleveland/3" not in site.paths


def test_a_museum_that_is_not_in_the_list_is_named(fetch_to_out):
    with pytest.raises(ValueError, match="only names louvre; expected some of walters, met, cleveland"):
        fetch_to_out("met,louvre")


def test_a_side_too_small_is_refused(fetch_to_out):
    with pytest.raises(ValueError, match="side is 32; expected at least 64"):
        fetch_to_out(side=32)


def test_the_recommended_come_first_or_alone(fetch_to_out, site):
    rows = walters_rows(site, "w0", "w1")
    rows[1]["recommended"] = "yes"
    fetch_to_out(rows=rows)
    assert site.paths[0] == "/w1.jpg" and site.paths[-1] == "/w0.jpg"
    site.paths.clear()
    assert fetch_to_out(rows=rows, recommended=True).failures == {} and site.paths == []


def test_progress_is_given_picture_by_picture(fetch_to_out):
    calls = []
    fetch_to_out(on_picture=lambda count, total: calls.append((count, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (file(b"<!DOCTYPE html><title>Sorry"), "is not a JPEG .*DOCTYPE"),
        (file(b"<html>", "text/html"), "is not a JPEG .*<html>"),
        (file(jpeg((60, 90))), "is 60 x 90 px; expected at least 256"),
        (file(bomb(60_000)), "3,600 megapixels, too large to decode"),
        (file(jpeg()[:900]), "is cut short or damaged"),
        (file(b""), "is not a JPEG"),
        (file(b"", length=museum.MAX_PICTURE_BYTES + 1), "is larger than 64 MB"),
        (file(jpeg(), length=10**5), "broke off .*; asked 4 times"),
        (status(301), "answers 301"),
    ],
)
def test_what_is_not_the_picture_is_refused_and_leaves_nothing(fetch_to_out, site, out, answer, message):
    site.put("/w1.jpg", answer)
    result = fetch_to_out("walters")
    assert re.search(message, result.failures["walters_1"])
    assert "picture.jpg" not in result.failures["walters_1"]
    assert result.fell_back and not out.exists()


def test_a_picture_that_is_not_there_does_not_stop_the_others(fetch_to_out, site):
    result = fetch_to_out(rows=walters_rows(site, "gone", "w1"))
    assert result.failures == {"walters_gone": f"{site.url} answers 404 Not Found"}
    assert site.paths == ["/gone.jpg", "/w1.jpg"] and len(result.pictures) == 1


def test_all_paintings_of_a_host_that_is_given_up_are_failures(fetch_to_out, site):
    for name in ("w5", "w6", "w7"):
        site.put(f"/{name}.jpg", status(403))
    result = fetch_to_out(rows=walters_rows(site, "w5", "w6", "w7", "w8", "w9"))
    assert len(result.failures) == 5 and len(site.paths) == 12
    assert "for 3 pictures in a row" in result.failures["walters_w9"]


def test_a_picture_on_another_host_is_not_requested(fetch_to_out, site):
    site.put("/met/2", record(met_record(site, primaryImage="https://elsewhere.org/2.jpg")))
    assert "leads to https://elsewhere.org" in fetch_to_out("met").failures["met_2"]
    assert site.paths == ["/met/2"]


def test_a_picture_that_its_record_does_not_free_is_not_requested(fetch_to_out, site):
    site.put("/met/2", record(met_record(site, isPublicDomain=False)))
    assert "isPublicDomain False" in fetch_to_out("met").failures["met_2"] and site.paths == ["/met/2"]


def test_a_record_of_any_shape_is_only_a_failure(fetch_to_out, site):
    site.put("/met/2", file(b"[1, 2]", "application/json"))
    site.put("/cleveland/3", file(b"<html>", "application/json"))
    result = fetch_to_out()
    assert set(result.failures) == {"met_2", "cleveland_3"} and len(result.pictures) == 1


def test_text_from_outside_can_start_no_formula_and_no_escape_sequence(fetch_to_out, site):
    other = {"artistDisplayName": '=HYPERLINK("x")\x1b[2J', "objectDate": "1600\r\n\u202e\ud800evil,row"}
    site.put("/met/2", record(met_record(site, **other)))
    row = metadata_of(fetch_to_out("met").folder)["held_out/met_2.jpg"]
    assert row["maker"] == '\'=HYPERLINK("x") [2J' and row["date"] == "1600 evil,row"


def test_text_from_outside_reaches_the_terminal_in_one_printable_line(fetch_to_out, site):
    site.put("/met/2", record(met_record(site, objectID="\x1b]0;owned\x07\n" * 200)))
    (line,) = fetch_to_out("met").failures.values()
    assert line.isprintable() and len(line) <= 400
    assert line.startswith("its record is that of object ]0;owned")


def test_a_second_call_requests_only_what_is_missing(fetch_to_out, site, out):
    fetch_to_out()
    (out / "train" / "walters_1.jpg").unlink()
    site.paths.clear()
    assert len(fetch_to_out().pictures) == 3 and site.paths == ["/w1.jpg"]


def test_a_folder_grows_museum_by_museum(fetch_to_out, out):
    fetch_to_out("walters")
    assert len(fetch_to_out("met").pictures) == 2
    assert set(metadata_of(out)) == {"train/walters_1.jpg", "held_out/met_2.jpg"}


def test_what_a_learner_wrote_into_the_table_stays(fetch_to_out, out):
    fetch_to_out("walters")
    table = out / "metadata.csv"
    lines = table.read_text(encoding="utf-8").replace("a king", "two kings").splitlines()
    table.write_text(f"{lines[0]},mine\n{lines[1]},good\n", encoding="utf-8")
    fetch_to_out()
    row = metadata_of(out)["train/walters_1.jpg"]
    assert (row["caption"], row["mine"]) == ("two kings", "good")


def test_a_damaged_file_is_fetched_again(fetch_to_out):
    (path,) = fetch_to_out("walters").pictures
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    assert fetch_to_out("walters").failures == {} and path.read_bytes() == whole


def test_a_picture_that_has_changed_at_the_museum_does_not_replace_the_old_one(fetch_to_out, site):
    (path,) = fetch_to_out("walters").pictures
    path.write_bytes(damaged := path.read_bytes()[:500])
    site.put("/w1.jpg", file(jpeg(turn=90)))
    result = fetch_to_out("walters")
    assert "is not the picture of the first time" in result.failures["walters_1"]
    assert path.read_bytes() == damaged and result.pictures == (path,)


def test_a_picture_that_a_learner_has_cropped_is_kept(fetch_to_out, site):
    (path,) = fetch_to_out("walters").pictures
    path.write_bytes(jpeg((280, 280)))
    result = fetch_to_out("walters")
    assert "is kept as it is" in result.failures["walters_1"] and path.read_bytes() == jpeg((280, 280))
    assert site.paths == ["/w1.jpg"]


def test_a_removed_picture_leaves_the_table_even_if_it_cannot_be_had_again(fetch_to_out, site, out):
    fetch_to_out()
    (out / "train" / "walters_1.jpg").unlink()
    site.put("/w1.jpg", status(404))
    assert len(dataset.read(fetch_to_out().folder).pictures) == 2


def test_a_folder_with_other_pictures_is_left_alone(fetch_to_out, site, out):
    out.mkdir()
    (out / "cat.jpg").write_bytes(jpeg())
    with pytest.raises(ValueError, match="holds cat.jpg, which is not from the museums"):
        fetch_to_out()
    assert files_in(out) == ["cat.jpg"] and site.paths == []


def test_a_table_that_cannot_be_read_is_named(fetch_to_out, out):
    fetch_to_out("walters")
    (out / "metadata.csv").write_bytes(b"file_name\xff\xfe")
    with pytest.raises(ValueError, match="metadata.csv: cannot be read"):
        fetch_to_out()


def test_ctrl_c_midway_leaves_whole_pictures_and_goes_on_from_there(fetch_to_out, site, clock, out):
    def stop(seconds):
        if len(site.paths) == 3:
            raise KeyboardInterrupt
        clock.sleep(seconds)

    with pytest.raises(KeyboardInterrupt):
        fetch_to_out(client=PoliteClient(dict.fromkeys(ORIGINS, (site.url,)), clock, stop))
    assert files_in(out) == ["held_out/met_2.jpg", "metadata.csv", "train/walters_1.jpg"]
    assert len(dataset.read(out).pictures) == 2
    site.paths.clear()
    assert len(fetch_to_out().pictures) == 3 and site.paths == ["/cleveland/3", "/web.jpg"]


def test_ctrl_c_while_writing_leaves_no_partial_file(fetch_to_out, monkeypatch, out):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(storage.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch_to_out()
    assert files_in(out) == []


@pytest.fixture
def offline(fetch_to_out, clock):
    """Fetch sixty paintings from a host that cannot be reached."""
    nowhere = closed_port()
    rows = [{"id": f"walters_{i}", "image_url": f"{nowhere}/{i}.jpg"} for i in range(60)]
    client = PoliteClient(dict.fromkeys(ORIGINS, (nowhere,)), clock, clock.sleep)
    return fetch_to_out(rows=rows, client=client)


def test_offline_falls_back_to_the_practice_paintings_after_one_try_a_host(offline, clock, out):
    assert offline.fell_back and offline.folder == SAMPLE and offline.pictures == ()
    assert len(offline.failures) == 60 and clock.slept == [] and not out.exists()
    assert len(sources.list_files(offline.folder).files) == 22


def test_offline_the_report_gives_each_reason_once(offline):
    lines = museum.report(offline)
    assert len(lines) == 3 and "cannot be reached" in lines[1]
    assert "practice paintings take their place" in lines[2]


def test_one_museum_that_is_away_does_not_stop_the_others(fetch_to_out, site, clock):
    nowhere = closed_port()
    rows = [{"id": "met_2", "api_url": f"{nowhere}/met/2"}, *walters_rows(site, "w1")]
    client = PoliteClient({"met": (nowhere,), "walters": (site.url,)}, clock, clock.sleep)
    result = fetch_to_out(rows=rows, client=client)
    assert list(result.failures) == ["met_2"] and len(result.pictures) == 1 and not result.fell_back
    assert museum.report(result)[1].startswith(f"not fetched: met_2: {nowhere} cannot be reached")


def test_offline_what_was_fetched_before_is_used(fetch_to_out, site):
    fetch_to_out()
    site.shutdown()
    site.server_close()
    result = fetch_to_out()
    assert len(result.pictures) == 3 and not result.fell_back and result.failures == {}
