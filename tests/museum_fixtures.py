"""Fixtures of the tests that fetch, as a pytest plugin: a site with three paintings, a client for it,
and no other network.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from museum_site import Clock, Site, cleveland_record, file, jpeg, met_record, record, write_list

from lessons_lib.dataset.http import PoliteClient
from lessons_lib.dataset.museum import FetchResult, fetch
from lessons_lib.dataset.museum_records import ORIGINS


@pytest.fixture
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy from outside, and no name is looked up: a test that left this machine would fail."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    look_up = socket.getaddrinfo

    def local(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror(f"{host} is not this machine")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_site(clock: Clock, only_this_machine: None) -> Iterator[Callable[[], Site]]:
    """Give a function that opens another museum."""
    sites: list[Site] = []

    def start() -> Site:
        sites.append(Site(clock))
        threading.Thread(target=sites[-1].serve_forever, args=(0.01,), daemon=True).start()
        return sites[-1]

    yield start
    for site in sites:
        site.shutdown()
        site.server_close()


@pytest.fixture
def site(open_site: Callable[[], Site]) -> Site:
    """The three museums in one place, each with one painting that can be had."""
    site = open_site()
    site.put("/w1.jpg", file(jpeg(turn=1)))
    site.put("/met/2", record(met_record(site)))
    site.put("/met%202.jpg", file(jpeg(turn=2)))
    site.put("/cleveland/3", record(cleveland_record(site)))
    site.put("/web.jpg", file(jpeg((300, 400), 3), "binary/octet-stream"))
    site.put("/print.jpg", file(jpeg(turn=4)))
    return site


@pytest.fixture
def client(site: Site, clock: Clock) -> PoliteClient:
    return PoliteClient(dict.fromkeys(ORIGINS, (site.url,)), clock, clock.sleep)


@pytest.fixture
def fetch_to_out(site: Site, clock: Clock, tmp_path: Path) -> Callable[..., FetchResult]:
    """Give a function that fetches the three paintings, or other rows, into the folder `out`,
    each time with a new client.
    """
    three = [
        {"id": "walters_1", "museum": "Walters Art Museum", "image_url": f"{site.url}/w1.jpg"},
        {"id": "met_2", "museum": "The Met", "api_url": f"{site.url}/met/2", "split": "held_out"},
        {"id": "cleveland_3", "accession_number": "1939.66", "api_url": f"{site.url}/cleveland/3"},
    ]

    def call(*args: Any, rows: list[dict[str, str]] = three, **options: Any) -> FetchResult:
        client = PoliteClient(dict.fromkeys(ORIGINS, (site.url,)), clock, clock.sleep)
        options = {"client": client, "table": write_list(tmp_path, rows)} | options
        return fetch(tmp_path / "out", *args, **options)

    return call
