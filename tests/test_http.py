"""Files are requested politely, from the museum's own hosts only, and no answer can take too much time or
memory.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from museum_site import closed_port, drip, file, jpeg, status

from lessons_lib.dataset import http
from lessons_lib.dataset.http import DownloadError, PoliteClient

pytest_plugins = ["museum_fixtures"]
MEGABYTE = 1 << 20


@pytest.fixture
def get(client, site):
    """Give a function that returns the body at a path of the site."""
    return lambda path="/w1.jpg", max_bytes=MEGABYTE: client.get("walters", site.url + path, max_bytes)


@pytest.fixture
def failure(get):
    """Give a function that returns why there is no body."""

    def call(path="/w1.jpg", max_bytes=MEGABYTE):
        with pytest.raises(DownloadError) as error:
            get(path, max_bytes)
        return str(error.value)

    return call


def test_every_request_names_the_project_and_a_second_lies_between_two(get, site):
    for path in ("/w1.jpg", "/web.jpg", "/w1.jpg", "/print.jpg"):
        get(path)
    assert len(site.times) == 4 and all(b - a >= 1 for a, b in zip(site.times, site.times[1:], strict=False))
    assert all(agent.startswith("lora-lessons/") for agent in site.agents)


@pytest.mark.parametrize("code", [403, 408, 429, 500, 502, 503, 504])
def test_a_passing_refusal_is_waited_out(get, site, clock, code):
    site.put("/w1.jpg", status(code), status(code), file(jpeg()))
    assert get() == jpeg()
    assert clock.slept == [2, 4]


def test_a_host_that_keeps_refusing_is_given_up_after_three_files(failure, site):
    site.put("/w5.jpg", status(403))
    assert failure("/w5.jpg") == f"{site.url} answers 403 Forbidden; asked 4 times"
    failure("/w5.jpg"), failure("/w5.jpg")
    assert "for 3 pictures in a row" in failure("/w1.jpg")
    assert site.paths == ["/w5.jpg"] * 12


def test_failures_count_only_in_a_row(get, failure, site):
    site.put("/w5.jpg", status(403))
    failure("/w5.jpg"), failure("/w5.jpg")
    get()
    failure("/w5.jpg"), failure("/w5.jpg")
    assert get() == jpeg(turn=1)


def test_a_file_that_is_not_there_is_requested_once(failure, site):
    assert failure("/gone.jpg") == f"{site.url} answers 404 Not Found"
    assert site.paths == ["/gone.jpg"]


def test_an_answer_of_301_without_an_address_is_a_failure(failure, site):
    site.put("/w1.jpg", status(301))
    assert "answers 301" in failure()


def test_retry_after_is_kept_to(get, site, clock):
    site.put("/w1.jpg", status(429, Retry_After="7"), file(jpeg()))
    assert get() == jpeg()
    assert clock.slept == [7]


def test_retry_after_may_be_a_date(get, site, clock):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    site.put("/w1.jpg", status(429, Retry_After=date), file(jpeg()))
    assert get() == jpeg()
    assert 50 < clock.slept[0] <= 60


@pytest.mark.parametrize("nonsense", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-3"])
def test_a_retry_after_that_is_past_or_nonsense_is_left_out(get, site, clock, nonsense):
    site.put("/w1.jpg", status(429, Retry_After=nonsense), file(jpeg()))
    assert get() == jpeg()
    assert clock.slept == [2]


@pytest.mark.parametrize(("header", "wait"), [("3600", "3600"), ("Fri, 01 Jan 2100 00:00:00 GMT", r"\d{7,}")])
def test_nobody_waits_an_hour_and_nobody_asks_before_it(failure, site, header, wait):
    site.put("/w1.jpg", status(429, Retry_After=header))
    failure("/w1.jpg")
    assert re.search(f"asks to wait {wait} s", failure("/web.jpg")) and site.paths == ["/w1.jpg"]


def test_a_file_that_is_announced_as_too_large_is_not_read(failure, site):
    site.put("/w1.jpg", file(b"", length=MEGABYTE + 1))
    assert failure() == "is larger than 1 MB" and site.paths == ["/w1.jpg"]


def test_an_answer_without_an_end_is_left_when_it_grows_too_large(failure, site):
    site.put("/w1.jpg", drip)
    assert failure(max_bytes=5) == "is larger than 0 MB"


def test_a_file_may_have_exactly_the_most_bytes(get):
    assert len(get(max_bytes=len(jpeg(turn=1)))) == len(jpeg(turn=1))


def test_an_answer_cut_short_is_requested_again(get, site):
    site.put("/w1.jpg", file(jpeg(), length=10**5), file(jpeg()))
    assert get() == jpeg() and site.paths == ["/w1.jpg"] * 2


def test_an_answer_that_is_always_cut_short_is_a_failure(failure, site):
    site.put("/w1.jpg", file(jpeg(), length=10**5))
    assert re.search("broke off .*expected 100000.*; asked 4 times", failure())


def test_a_server_that_drips_is_left_after_the_time_limit(site):
    site.put("/w1.jpg", drip)
    start = time.monotonic()
    with pytest.raises(DownloadError, match="came too slowly"):
        PoliteClient({"walters": (site.url,)}, limit_s=0.2).get("walters", f"{site.url}/w1.jpg", MEGABYTE)
    assert time.monotonic() - start < 2


def test_a_server_that_falls_silent_is_asked_again(get, site, monkeypatch):
    monkeypatch.setattr(http, "FIRST_TIMEOUT_S", 0.1)
    site.put("/w1.jpg", lambda _: time.sleep(0.4), file(jpeg()))
    assert get() == jpeg()


def test_a_redirect_to_another_host_is_not_followed(failure, site, open_site):
    other = open_site()
    site.put("/w1.jpg", status(302, Location=f"{other.url}/w1.jpg"))
    assert f"leads to {other.url}, not followed; expected {site.url}" in failure() and other.paths == []


@pytest.mark.parametrize(
    "address", ["file:///etc/hostname", "http://127.0.0.1@elsewhere.org/x", "http://[::1/x", "//x/y"]
)
def test_a_redirect_to_an_odd_address_is_not_followed(failure, site, address):
    site.put("/w1.jpg", status(302, Location=address))
    assert failure().startswith("its address ") and site.paths == ["/w1.jpg"]


def test_an_address_with_a_user_name_is_not_followed(client, site):
    with pytest.raises(DownloadError, match="leads to http://me:secret@127"):
        client.get("walters", site.url.replace("//", "//me:secret@") + "/w1.jpg", MEGABYTE)
    assert site.paths == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_museum_is_followed_at_the_same_pace(get, site, code):
    site.put("/w1.jpg", status(code, Location="/moved/w1.jpg"))
    site.put("/moved/w1.jpg", file(jpeg()))
    assert get() == jpeg() and site.times[1] - site.times[0] >= 1


def test_redirects_in_a_circle_end(failure, site):
    site.put("/w1.jpg", status(302, Location="/w1.jpg"))
    assert "from address to address" in failure() and len(site.paths) == 1 + http.MAX_REDIRECTS


def test_a_host_that_cannot_be_reached_is_given_up_at_once(clock, only_this_machine):
    nowhere = closed_port()
    client = PoliteClient({"met": (nowhere,)}, clock, clock.sleep)
    for path in ("/1", "/2"):
        with pytest.raises(DownloadError, match=f"{nowhere} cannot be reached"):
            client.get("met", nowhere + path, MEGABYTE)
    assert clock.slept == []


def test_a_host_that_gave_a_file_and_is_away_now_is_asked_again(get, failure, site, clock):
    get()
    site.shutdown()
    site.server_close()
    assert "cannot be reached" in failure() and failure().endswith("asked 4 times")
    assert clock.slept[:3] == [1, 2, 4]


def test_requests_go_through_the_proxy_of_the_environment(open_site, monkeypatch, clock):
    proxy = open_site()
    monkeypatch.setenv("http_proxy", proxy.url)
    proxy.put("http://museum.test/w1.jpg", file(jpeg()))
    client = PoliteClient({"walters": ("http://museum.test",)}, clock, clock.sleep)
    assert client.get("walters", "http://museum.test/w1.jpg", MEGABYTE) == jpeg()
    assert proxy.paths == ["http://museum.test/w1.jpg"]


def test_a_proxy_of_a_kind_that_cannot_be_used_is_named(monkeypatch, only_this_machine):
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:1")
    with pytest.raises(
        ValueError, match="the environment's proxy cannot be used .*gopher.*; expected an http:"
    ):
        PoliteClient({})
