"""A painting is taken only when its museum's own record, whatever its shape, says that it is free."""

import pytest
from museum_site import cleveland_record, file, met_record, record

from lessons_lib.dataset.http import DownloadError
from lessons_lib.dataset.museum_records import read_record

pytest_plugins = ["museum_fixtures"]


@pytest.fixture
def read(client, site):
    """Give a function that reads the record of the one painting of a museum."""
    rows = {
        "met": {"id": "met_2", "api_url": f"{site.url}/met/2", "image_url": ""},
        "cleveland": {
            "id": "cleveland_3", "api_url": f"{site.url}/cleveland/3", "accession_number": "1939.66",
            "image_url": "",
        },
        "walters": {"id": "walters_1", "image_url": f"{site.url}/w1.jpg"},
    }  # fmt: skip
    return lambda museum, side=1024: read_record(rows[museum], client, side)


def test_the_walters_have_a_general_statement_and_no_record(read, site):
    assert read("walters").image_url == f"{site.url}/w1.jpg" and site.paths == []
    assert read("walters").licence.startswith("CC0-1.0 (") and "no live record" in read("walters").licence


def test_a_record_of_the_met_gives_maker_date_and_number(read, site):
    painting = read("met")
    assert (painting.maker, painting.date) == ("Painting by Nanha", "ca. 1620")
    assert (painting.accession_number, painting.image_url) == ("13.228", f"{site.url}/met 2.jpg")
    assert painting.licence == "CC0-1.0 (live record: isPublicDomain true)"


def test_a_record_of_cleveland_gives_makers_and_date(read, site):
    creators = [{"description": "Govardhan"}, {"description": ""}, {"description": "Nanha"}]
    site.put("/cleveland/3", record(cleveland_record(site, creators=creators)))
    assert (read("cleveland").maker, read("cleveland").date) == ("Govardhan; Nanha", "c. 1602")
    assert read("cleveland").licence == "CC0-1.0 (live record: share_license_status CC0)"


@pytest.mark.parametrize(("side", "name"), [(1050, "web.jpg"), (1051, "print.jpg")])
def test_cleveland_gives_the_larger_picture_only_where_it_is_needed(read, site, side, name):
    assert read("cleveland", side).image_url == f"{site.url}/{name}"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"isPublicDomain": False}, "isPublicDomain False; expected true"),
        ({"isPublicDomain": "true"}, "expected true"),
        ({"objectID": 7}, "that of object 7; expected 2"),
        ({"primaryImage": ""}, "names no picture"),
    ],
)
def test_a_record_of_the_met_that_does_not_free_the_picture_is_refused(read, site, other, message):
    site.put("/met/2", record(met_record(site, **other)))
    with pytest.raises(DownloadError, match=message):
        read("met")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"share_license_status": "Copyrighted"}, "share_license_status Copyrighted; expected CC0"),
        ({"accession_number": "1.1"}, "that of 1.1; expected 1939.66"),
        ({"images": None}, "names no picture"),
        ({"images": {"web": {"url": ["x"]}}}, "names no picture"),
    ],
)
def test_a_record_of_cleveland_that_does_not_free_the_picture_is_refused(read, site, other, message):
    site.put("/cleveland/3", record(cleveland_record(site, **other)))
    with pytest.raises(DownloadError, match=message):
        read("cleveland")


@pytest.mark.parametrize("body", [b"<html>", b"[" * 10**5, b"", b"[1, 2]", b"\xff\xfe{"])
@pytest.mark.parametrize(("museum", "path"), [("met", "/met/2"), ("cleveland", "/cleveland/3")])
def test_a_record_of_any_other_shape_is_refused(read, site, body, museum, path):
    site.put(path, file(body, "application/json"))
    with pytest.raises(DownloadError, match="its record is"):
        read(museum)
