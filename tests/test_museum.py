"""The museums' pictures are fetched with their rights, politely, and whatever a server does nothing half is left."""

import csv
import io
import json
import re
import socket
import threading
import time
from collections import Counter
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from PIL import Image

from lessons_lib import cli
from lessons_lib.dataset import http as webs
from lessons_lib.dataset import museum, pictures, sources
from lessons_lib.dataset.http import Web
from lessons_lib.dataset.museum import fetch
from lessons_lib.paths import SAMPLE

LIST_COLUMNS = (
    "id museum accession_number title maker date licence page_url image_url api_url book split recommended "
    "caption caption_from"
).split()
HOSTS = {
    "Walters Art Museum": "art.thewalters.org",
    "The Metropolitan Museum of Art": "metmuseum.org",
    "Cleveland Museum of Art": "clevelandart.org",
}


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Site(ThreadingHTTPServer):
    """A museum on this machine: `put` says what a path answers, in turn; the last answer stays."""

    daemon_threads = True

    def __init__(self, clock):
        super().__init__(("127.0.0.1", 0), Handler)
        self.clock, self.answers, self.asked, self.times, self.agents = clock, {}, [], [], []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def put(self, path, *answers):
        self.answers[path] = list(answers)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server
        site.asked.append(self.path)
        site.times.append(site.clock())
        site.agents.append(self.headers["User-Agent"])
        answers = site.answers.get(self.path, [status(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, *_):
        pass


def send(handler, code, body=b"", kind="text/plain", length=None, **headers):
    handler.send_response(code)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code, **headers):
    return lambda handler: send(handler, code, **headers)


def picture(data, kind="image/jpeg", length=None):
    return lambda handler: send(handler, 200, data, kind, length)


def record(told):
    return picture(json.dumps(told).encode(), "application/json; charset=utf-8")


def drip(handler):
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"\xff")
            time.sleep(0.02)
    except OSError:
        pass


@cache
def jpeg(size=(300, 400), turn=0):
    out = io.BytesIO()
    Image.radial_gradient("L").rotate(turn).resize(size).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def bomb(side):
    """A small JPEG whose header claims side x side px."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = side.to_bytes(2, "big") * 2
    return bytes(data)


def met_record(site, **other):
    return {
        "objectID": 2,
        "isPublicDomain": True,
        "primaryImage": f"{site.url}/met 2.jpg",
        "accessionNumber": "13.228",
        "artistDisplayName": "Painting by Nanha",
        "objectDate": "ca. 1620",
    } | other


def cleveland_record(site, **other):
    sizes = {"web": ("1050", "1400"), "print": ("2700", "3400")}
    images = {
        name: {"url": f"{site.url}/{name}.jpg", "width": width, "height": height}
        for name, (width, height) in sizes.items()
    }
    told = {"accession_number": "1939.66", "share_license_status": "CC0", "images": images}
    return {"data": told | {"creators": [{"description": "Govardhan"}], "creation_date": "c. 1602"} | other}


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch):
    """No proxy from outside, and no name is looked up: a test that left this machine would fail."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    look_up = socket.getaddrinfo

    def local(host, *rest, **more):
        if host != "127.0.0.1":
            raise socket.gaierror(f"{host} is not this machine")
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(clock):
    """Give a function that opens another museum's site."""
    sites = []

    def open_site():
        sites.append(Site(clock))
        threading.Thread(target=sites[-1].serve_forever, args=(0.01,), daemon=True).start()
        return sites[-1]

    yield open_site
    for site in sites:
        site.shutdown()
        site.server_close()


@pytest.fixture
def site(start):
    """The three museums in one place, each with one painting that can be had."""
    site = start()
    site.put("/w1.jpg", picture(jpeg(turn=1)))
    site.put("/met/2", record(met_record(site)))
    site.put("/met%202.jpg", picture(jpeg(turn=2)))
    site.put("/cleveland/3", record(cleveland_record(site)))
    site.put("/web.jpg", picture(jpeg((300, 400), 3), "binary/octet-stream"))
    site.put("/print.jpg", picture(jpeg(turn=4)))
    return site


def listed(folder, rows):
    """Write a list of paintings as museum.csv is; what a row leaves out is filled in."""
    table = folder / "museum.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, LIST_COLUMNS)
        writer.writeheader()
        writer.writerows(
            dict.fromkeys(LIST_COLUMNS, "") | {"split": "train", "caption": "a king"} | r for r in rows
        )
    return table


@pytest.fixture
def get(site, clock, tmp_path):
    """Give a function that fetches the three paintings, or others, into the folder `out`."""
    three = [
        {"id": "walters_1", "museum": "Walters Art Museum", "image_url": f"{site.url}/w1.jpg"},
        {"id": "met_2", "museum": "The Met", "api_url": f"{site.url}/met/2", "split": "held_out"},
        {"id": "cleveland_3", "accession_number": "1939.66", "api_url": f"{site.url}/cleveland/3"},
    ]

    def call(*args, rows=three, web=None, **more):
        web = web or Web(dict.fromkeys(museum.MUSEUMS, (site.url,)), clock, clock.sleep)
        return fetch(tmp_path / "out", *args, web=web, table=listed(tmp_path, rows), **more)

    return call


def walters(site, *names):
    return [{"id": f"walters_{name}", "image_url": f"{site.url}/{name}.jpg"} for name in names]


def table_of(folder):
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return {row["file_name"]: row for row in csv.DictReader(file)}


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def the_list():
    return museum.rows_of(museum.LIST)


def test_the_list_has_its_columns_and_sixty_paintings():
    assert list(the_list()[0]) == LIST_COLUMNS and len(the_list()) >= 60


def test_every_painting_of_the_list_says_what_it_is_and_who_says_so():
    sure = set(LIST_COLUMNS) - {"accession_number", "maker", "date", "image_url", "api_url"}
    assert [row["id"] for row in the_list() if not all(row[column].strip() for column in sure)] == []
    assert {row["caption_from"] for row in the_list()} == {
        "title and tags; not yet checked against the picture"
    }
    assert [row["id"] for row in the_list() if not (row["date"] or row["api_url"])] == []


def test_ids_of_the_list_are_fit_for_file_names_and_begin_with_the_museum():
    names = [row["id"] for row in the_list()]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z]+_[a-z0-9_]+", name) for name in names)
    assert {museum.museum_of(row): row["museum"] for row in the_list()}.keys() == museum.MUSEUMS.keys()


def test_every_book_of_the_list_is_on_one_side():
    splits = {(row["book"], row["split"]) for row in the_list()}
    assert {split for _, split in splits} == {"train", "held_out"}
    assert max(Counter(book for book, _ in splits).values()) == 1


def test_a_dozen_is_recommended_and_all_of_it_is_for_training():
    dozen = [row for row in the_list() if row["recommended"] == "yes"]
    assert len(dozen) == 12 and {row["split"] for row in dozen} == {"train"}
    assert len({row["caption"] for row in dozen}) == 12


def test_no_address_of_the_list_leads_elsewhere_than_to_its_museum():
    for row in the_list():
        for column in ("page_url", "image_url", "api_url"):
            host = urlsplit(row[column]).hostname or HOSTS[row["museum"]]
            assert f".{host}".endswith(f".{HOSTS[row['museum']]}"), row[column]
            assert (
                column == "page_url"
                or not row[column]
                or webs.origin(row[column]) in museum.MUSEUMS[museum.museum_of(row)]
            )


def test_captions_of_the_list_leave_the_style_out():
    words = re.compile(r"mughal|miniature|painting of|style|folio|album|century|watercolou?r", re.IGNORECASE)
    assert [row["caption"] for row in the_list() if words.search(row["caption"])] == []


def test_three_museums_give_pictures_with_their_rights(get, tmp_path):
    fetched = get()
    assert (fetched.failures, fetched.fell_back, fetched.folder) == ({}, False, tmp_path / "out")
    found = {p.path.stem: p for p in pictures.load(fetched.folder)}
    assert {name: p.split for name, p in found.items()} == {
        "walters_1": "train", "met_2": "held_out", "cleveland_3": "train",
    }  # fmt: skip
    assert (
        found["met_2"].rights["maker"] == "Painting by Nanha" and found["met_2"].rights["date"] == "ca. 1620"
    )
    assert found["met_2"].rights["source"] == "The Met, 13.228" and found["met_2"].caption == "a king"
    assert all(p.rights["licence"].startswith("CC0-1.0 (") for p in found.values())
    assert "isPublicDomain" in found["met_2"].rights["licence"]
    assert "no live record" in found["walters_1"].rights["licence"]


def test_metadata_has_the_columns_of_the_practice_paintings(get, tmp_path):
    get()
    practice = (SAMPLE / "metadata.csv").read_text(encoding="utf-8").splitlines()[0]
    assert (tmp_path / "out" / "metadata.csv").read_text(encoding="utf-8").splitlines()[0] == practice


@pytest.mark.parametrize(("side", "size"), [(256, (256, 341)), (1024, (300, 400))])
def test_pictures_are_shrunk_to_the_short_side_and_never_enlarged(get, side, size):
    (path,) = get("walters", side).pictures
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.size == size


@pytest.mark.parametrize(("side", "name"), [(1050, "/web.jpg"), (1051, "/print.jpg")])
def test_cleveland_gives_the_larger_picture_only_where_it_is_needed(get, site, side, name):
    get("cleveland", side)
    assert site.asked == ["/cleveland/3", name]


def test_only_the_museums_named_are_asked(get, site):
    assert len(get("walters, met").pictures) == 2
    assert "/cleveland/3" not in site.asked


def test_a_museum_that_is_not_in_the_list_is_named(get):
    with pytest.raises(ValueError, match="only names louvre; expected some of walters, met, cleveland"):
        get("met,louvre")


def test_the_recommended_come_first_or_alone(get, site):
    rows = walters(site, "w0", "w1")
    rows[1]["recommended"] = "yes"
    get(rows=rows)
    assert site.asked[0] == "/w1.jpg" and site.asked[-1] == "/w0.jpg"
    site.asked.clear()
    assert get(rows=rows, recommended=True).failures == {} and site.asked == []


def test_every_request_names_the_project_and_a_second_lies_between_two(get, site):
    get()
    assert len(site.times) == 5 and all(b - a >= 1 for a, b in zip(site.times, site.times[1:], strict=False))
    assert all(agent.startswith("lora-lessons/") for agent in site.agents)


@pytest.mark.parametrize("code", [403, 429, 500, 503])
def test_a_passing_refusal_is_waited_out(get, site, clock, code):
    site.put("/w1.jpg", status(code), status(code), picture(jpeg()))
    assert get("walters").failures == {}
    assert clock.slept == [2, 4]


def test_a_host_that_keeps_refusing_is_left_alone_after_three_pictures(get, site):
    rows = walters(site, "w5", "w6", "w7", "w8", "w9") + [{"id": "met_2", "api_url": f"{site.url}/met/2"}]
    for name in ("w5", "w6", "w7", "w8", "w9"):
        site.put(f"/{name}.jpg", status(403))
    fetched = get(rows=rows)
    assert Counter(site.asked) == {"/w5.jpg": 4, "/w6.jpg": 4, "/w7.jpg": 4} and len(fetched.failures) == 6
    assert fetched.failures["walters_w5"] == f"{site.url} answers 403; asked 4 times"
    assert "for 3 pictures in a row" in fetched.failures["walters_w9"]


def test_a_picture_that_is_not_there_is_asked_for_once(get, site):
    fetched = get(rows=walters(site, "gone", "w1"))
    assert fetched.failures == {"walters_gone": f"{site.url} answers 404: not there"}
    assert site.asked == ["/gone.jpg", "/w1.jpg"] and len(fetched.pictures) == 1


def test_retry_after_is_kept_to(get, site, clock):
    site.put("/w1.jpg", status(429, Retry_After="7"), picture(jpeg()))
    assert get("walters").failures == {}
    assert clock.slept == [7]


def test_nobody_waits_an_hour_and_nobody_asks_before_it(get, site):
    site.put("/w1.jpg", status(429, Retry_After="3600"))
    fetched = get(rows=walters(site, "w1", "w2"))
    assert site.asked == ["/w1.jpg"] and "asks to wait 3600 s" in fetched.failures["walters_w2"]


def test_retry_after_may_be_a_date_or_nonsense():
    assert webs.seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0 == webs.seconds("soon") == webs.seconds("-3")
    assert webs.seconds("Fri, 01 Jan 2100 00:00:00 GMT") > 10**6


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (picture(b"<!DOCTYPE html><title>Sorry"), "is not a JPEG, though it came as one .*DOCTYPE"),
        (picture(b"<html>", "text/html"), "came as text/html: a web page in its place"),
        (picture(jpeg((60, 90))), "is 60 x 90 px; expected at least 256"),
        (picture(bomb(60_000)), "3,600 megapixels, too large to unpack"),
        (picture(jpeg()[:900]), "is cut short or damaged"),
        (picture(b""), "is not a JPEG"),
        (picture(b"", length=museum.PICTURE_BYTES + 1), "is larger than 64 MB"),
        (picture(jpeg(), length=10**5), "cut the answer short .*of 100000 bytes.; asked 4 times"),
        (status(301), "answers 301"),
    ],
)
def test_what_is_not_the_picture_is_refused_and_leaves_nothing(get, site, tmp_path, answer, says):
    site.put("/w1.jpg", answer)
    fetched = get("walters")
    assert (
        re.search(says, fetched.failures["walters_1"]) and str(tmp_path) not in fetched.failures["walters_1"]
    )
    assert fetched.fell_back and not (tmp_path / "out").exists()


def test_an_answer_without_an_end_is_left_when_it_grows_too_large(get, site, monkeypatch):
    monkeypatch.setattr(museum, "PICTURE_BYTES", 5)
    site.put("/w1.jpg", drip)
    assert get("walters").failures["walters_1"] == "is larger than 0 MB"


def test_an_answer_cut_short_is_asked_for_again(get, site):
    site.put("/w1.jpg", picture(jpeg(), length=10**5), picture(jpeg()))
    assert get("walters").failures == {} and site.asked == ["/w1.jpg"] * 2


def test_a_server_that_drips_is_left_after_the_time_limit(get, site):
    site.put("/w1.jpg", drip)
    begun = time.monotonic()
    fetched = get("walters", web=Web({"walters": (site.url,)}, limit_s=0.2))
    assert "came too slowly" in fetched.failures["walters_1"] and time.monotonic() - begun < 2


def test_a_server_that_falls_silent_is_asked_again(get, site, monkeypatch):
    monkeypatch.setattr(webs, "FIRST_S", 0.1)
    site.put("/w1.jpg", lambda _: time.sleep(0.4), picture(jpeg()))
    assert get("walters").failures == {}


def test_a_redirect_to_another_host_is_not_followed(get, site, start):
    other = start()
    site.put("/w1.jpg", status(302, Location=f"{other.url}/w1.jpg"))
    fetched = get("walters")
    assert f"leads to {other.url}; expected {site.url}" in fetched.failures["walters_1"] and other.asked == []


@pytest.mark.parametrize(
    "to", ["file:///etc/hostname", "http://127.0.0.1@elsewhere.org/x", "http://[::1/x", "//x/y"]
)
def test_a_redirect_to_an_odd_address_is_not_followed(get, site, to):
    site.put("/w1.jpg", status(302, Location=to))
    assert list(get("walters").failures) == ["walters_1"] and site.asked == ["/w1.jpg"]


def test_a_redirect_within_the_museum_is_followed_at_the_same_pace(get, site):
    site.put("/w1.jpg", status(308, Location="/moved/w1.jpg"))
    site.put("/moved/w1.jpg", picture(jpeg()))
    assert get("walters").failures == {} and site.times[1] - site.times[0] >= 1


def test_redirects_in_a_circle_end(get, site):
    site.put("/w1.jpg", status(302, Location="/w1.jpg"))
    assert "from address to address" in get("walters").failures["walters_1"] and len(site.asked) == webs.HOPS


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"isPublicDomain": False}, "isPublicDomain False; expected true"),
        ({"isPublicDomain": "true"}, "expected true"),
        ({"objectID": 7}, "that of object 7; expected 2"),
        ({"primaryImage": "https://elsewhere.org/2.jpg"}, "leads to https://elsewhere.org"),
        ({"primaryImage": ""}, "names no picture"),
    ],
)
def test_a_record_of_the_met_that_does_not_free_the_picture_is_kept_to(get, site, other, says):
    site.put("/met/2", record(met_record(site, **other)))
    assert says in get("met").failures["met_2"] and site.asked == ["/met/2"]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"share_license_status": "Copyrighted"}, "share_license_status Copyrighted; expected CC0"),
        ({"accession_number": "1.1"}, "that of 1.1; expected 1939.66"),
        ({"images": None}, "names no picture"),
        ({"images": {"web": {"url": ["x"]}}}, "names no picture"),
    ],
)
def test_a_record_of_cleveland_that_does_not_free_the_picture_is_kept_to(get, site, other, says):
    site.put("/cleveland/3", record(cleveland_record(site, **other)))
    assert says in get("cleveland").failures["cleveland_3"] and site.asked == ["/cleveland/3"]


@pytest.mark.parametrize("told", [b"<html>", b"[" * 10**5, b"", b"[1, 2]", b"\xff\xfe{"])
def test_a_record_of_any_shape_is_only_a_failure(get, site, told):
    site.put("/met/2", picture(told, "application/json"))
    site.put("/cleveland/3", picture(told, "application/json"))
    assert set(get("met,cleveland").failures) == {"met_2", "cleveland_3"}


def test_text_from_outside_can_start_no_formula_and_no_escape_sequence(get, site):
    told = {"artistDisplayName": '=HYPERLINK("x")\x1b[2J', "objectDate": "1600\r\n\u202e\ud800evil,row"}
    site.put("/met/2", record(met_record(site, **told)))
    row = table_of(get("met").folder)["held_out/met_2.jpg"]
    assert row["maker"] == '\'=HYPERLINK("x") [2J' and row["date"] == "1600 evil,row"


def test_text_from_outside_reaches_the_terminal_in_one_printable_line(get, site):
    site.put("/met/2", record(met_record(site, objectID="\x1b]0;owned\x07\n" * 200)))
    (line,) = get("met").failures.values()
    assert (
        line.isprintable() and len(line) <= 400 and line.startswith("its record is that of object ]0;owned")
    )


def test_a_second_call_asks_only_for_what_is_missing(get, site, tmp_path):
    get()
    (tmp_path / "out" / "train" / "walters_1.jpg").unlink()
    site.asked.clear()
    assert len(get().pictures) == 3 and site.asked == ["/w1.jpg"]


def test_a_folder_grows_museum_by_museum(get, tmp_path):
    get("walters")
    assert len(get("met").pictures) == 2
    assert set(table_of(tmp_path / "out")) == {"train/walters_1.jpg", "held_out/met_2.jpg"}


def test_what_a_learner_wrote_into_the_table_stays(get, tmp_path):
    get("walters")
    table = tmp_path / "out" / "metadata.csv"
    lines = table.read_text(encoding="utf-8").replace("a king", "two kings").splitlines()
    table.write_text(f"{lines[0]},mine\n{lines[1]},good\n", encoding="utf-8")
    get()
    row = table_of(tmp_path / "out")["train/walters_1.jpg"]
    assert (row["caption"], row["mine"]) == ("two kings", "good")


def test_a_damaged_file_is_fetched_again(get, site):
    (path,) = get("walters").pictures
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    assert get("walters").failures == {} and path.read_bytes() == whole


def test_a_picture_that_has_changed_at_the_museum_does_not_replace_the_old_one(get, site):
    (path,) = get("walters").pictures
    kept = path.read_bytes()[:500]
    path.write_bytes(kept)
    site.put("/w1.jpg", picture(jpeg(turn=90)))
    fetched = get("walters")
    assert "is not the picture of the first time" in fetched.failures["walters_1"]
    assert path.read_bytes() == kept and fetched.pictures == (path,)


def test_a_picture_that_a_learner_has_cropped_is_kept(get, site):
    (path,) = get("walters").pictures
    path.write_bytes(jpeg((280, 280)))
    fetched = get("walters")
    assert "is kept as it is" in fetched.failures["walters_1"] and path.read_bytes() == jpeg((280, 280))
    assert site.asked == ["/w1.jpg"]


def test_a_removed_picture_leaves_the_table_even_if_it_cannot_be_had_again(get, site):
    get()
    (site_file,) = [p for p in get().pictures if p.stem == "walters_1"]
    site_file.unlink()
    site.put("/w1.jpg", status(404))
    assert len(pictures.load(get().folder)) == 2


def test_a_folder_with_other_pictures_is_left_alone(get, site, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cat.jpg").write_bytes(jpeg())
    with pytest.raises(ValueError, match="holds cat.jpg, which is not from the museums"):
        get()
    assert files(tmp_path / "out") == ["cat.jpg"] and site.asked == []


def test_a_table_that_cannot_be_read_is_named(get, tmp_path):
    get("walters")
    (tmp_path / "out" / "metadata.csv").write_bytes(b"file_name\xff\xfe")
    with pytest.raises(ValueError, match="metadata.csv: cannot be read"):
        get()


def test_ctrl_c_midway_leaves_whole_pictures_and_goes_on_from_there(get, site, clock, tmp_path):
    def stop(seconds):
        if len(site.asked) == 3:
            raise KeyboardInterrupt
        clock.sleep(seconds)

    with pytest.raises(KeyboardInterrupt):
        get(web=Web(dict.fromkeys(museum.MUSEUMS, (site.url,)), clock, stop))
    assert files(tmp_path / "out") == ["held_out/met_2.jpg", "metadata.csv", "train/walters_1.jpg"]
    assert len(pictures.load(tmp_path / "out")) == 2
    site.asked.clear()
    assert len(get().pictures) == 3 and site.asked == ["/cleveland/3", "/web.jpg"]


def test_ctrl_c_while_writing_leaves_no_partial_file(get, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(museum.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        get()
    assert files(tmp_path / "out") == []


def closed_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{door.getsockname()[1]}"


def test_offline_falls_back_to_the_practice_paintings_after_one_try_a_host(get, clock, tmp_path):
    nowhere = closed_port()
    web = Web(dict.fromkeys(museum.MUSEUMS, (nowhere,)), clock, clock.sleep)
    fetched = get(
        rows=[{"id": f"walters_{i}", "image_url": f"{nowhere}/{i}.jpg"} for i in range(60)], web=web
    )
    assert fetched.fell_back and fetched.folder == SAMPLE and fetched.pictures == ()
    assert len(fetched.failures) == 60 and clock.slept == [] and not (tmp_path / "out").exists()
    said = museum.report(fetched)
    assert (
        len(said) == 3 and "cannot be reached" in said[1] and "practice paintings take their place" in said[2]
    )
    assert len(sources.find(fetched.folder).entries) == 22


def test_one_museum_that_is_away_does_not_stop_the_others(get, site, clock):
    nowhere = closed_port()
    rows = [{"id": "met_2", "api_url": f"{nowhere}/met/2"}, *walters(site, "w1")]
    fetched = get(rows=rows, web=Web({"met": (nowhere,), "walters": (site.url,)}, clock, clock.sleep))
    assert list(fetched.failures) == ["met_2"] and len(fetched.pictures) == 1 and not fetched.fell_back
    assert museum.report(fetched)[1].startswith(f"not fetched: met_2: {nowhere} cannot be reached")


def test_offline_what_was_fetched_before_is_used(get, site):
    get()
    site.shutdown()
    site.server_close()
    fetched = get()
    assert len(fetched.pictures) == 3 and not fetched.fell_back and fetched.failures == {}


def test_requests_go_through_the_proxy_of_the_environment(get, start, monkeypatch, clock):
    proxy = start()
    monkeypatch.setenv("http_proxy", proxy.url)
    proxy.put("http://museum.test/w1.jpg", picture(jpeg()))
    rows = [{"id": "walters_1", "image_url": "http://museum.test/w1.jpg"}]
    fetched = get(rows=rows, web=Web({"walters": ("http://museum.test",)}, clock, clock.sleep))
    assert fetched.failures == {} and proxy.asked == ["http://museum.test/w1.jpg"]


def test_outside_tests_every_origin_is_https():
    assert all(o.startswith("https://") for origins in museum.MUSEUMS.values() for o in origins)


def test_a_side_too_small_is_refused(get):
    with pytest.raises(ValueError, match="side is 32; expected at least 64"):
        get(side=32)


def test_progress_is_told_picture_by_picture(get):
    told = []
    get(on_picture=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_command_passes_its_options_and_tells_what_failed(monkeypatch, tmp_path, capsys):
    asked = []

    def fake(*args):
        asked.append(args[:4])
        return museum.Fetched(tmp_path, (tmp_path / "a.jpg",), {"met_2": "answers 404"}, False)

    monkeypatch.setattr(museum, "fetch", fake)
    words = ["fetch", "museum", "--only", "met", "--size", "512", "--out", str(tmp_path)]
    assert cli.main(words) == 0 and asked == [(tmp_path, "met", 512, False)]
    shown = capsys.readouterr().out
    assert f"paintings in {tmp_path}: 1;" in shown and "not fetched: met_2: answers 404" in shown


def test_the_command_ends_with_code_1_when_nothing_could_be_fetched(monkeypatch, tmp_path, capsys):
    assert cli.main(["fetch", "museum", "--only", "walters", "--out", str(tmp_path / "m")]) == 1
    assert "The practice paintings take their place" in capsys.readouterr().out


def test_the_command_stopped_with_ctrl_c_says_what_is_kept(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(museum, "fetch", stop)
    assert cli.main(["fetch", "museum"]) == cli.INTERRUPTED
    assert "goes on from there" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["fetch"], ["fetch", "zoo"], ["fetch", "museum", "--size", "0"]])
def test_a_wrong_call_of_the_command_ends_with_code_2(words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
