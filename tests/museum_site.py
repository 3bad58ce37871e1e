"""A museum on this machine, what it answers, and a clock that only sleeping moves:
for the tests that fetch.
"""

from __future__ import annotations

import csv
import io
import json
import socket
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

LIST_COLUMNS = (
    "id museum accession_number title maker date licence page_url image_url api_url book split recommended "
    "caption caption_from"
).split()


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        site.paths.append(self.path)
        site.times.append(site.clock())
        site.agents.append(self.headers["User-Agent"])
        answers = site.answers.get(self.path, [status(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, *_: Any) -> None:
        pass


Answer = Callable[[_Handler], None]


class Site(ThreadingHTTPServer):
    """A server that notes each request. `put` says what a path answers, in turn; the last answer stays."""

    daemon_threads = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clock, self.answers, self.paths, self.times, self.agents = clock, {}, [], [], []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)


def send(
    handler: _Handler,
    code: int,
    body: bytes = b"",
    kind: str = "text/plain",
    length: int | None = None,
    **headers: str,
) -> None:
    handler.send_response(code)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, **headers: str) -> Answer:
    return lambda handler: send(handler, code, **headers)


def file(data: bytes, kind: str = "image/jpeg", length: int | None = None) -> Answer:
    """Answer with a file; `length`: what the header says where that is not so."""
    return lambda handler: send(handler, 200, data, kind, length)


def record(value: Any) -> Answer:
    return file(json.dumps(value).encode(), "application/json; charset=utf-8")


def drip(handler: _Handler) -> None:
    """Send a byte now and then, without end."""
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
def jpeg(size: tuple[int, int] = (300, 400), turn: int = 0) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").rotate(turn).resize(size).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def bomb(side: int) -> bytes:
    """Return a small JPEG whose header claims side x side px."""
    data = bytearray(jpeg())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = side.to_bytes(2, "big") * 2
    return bytes(data)


def met_record(site: Site, **other: Any) -> dict[str, Any]:
    return {
        "objectID": 2, "isPublicDomain": True, "primaryImage": f"{site.url}/met 2.jpg",
        "accessionNumber": "13.228", "artistDisplayName": "Painting by Nanha", "objectDate": "ca. 1620",
    } | other  # fmt: skip


def cleveland_record(site: Site, **other: Any) -> dict[str, Any]:
    sizes = {"web": ("1050", "1400"), "print": ("2700", "3400")}
    data = {
        "accession_number": "1939.66", "share_license_status": "CC0",
        "images": {k: {"url": f"{site.url}/{k}.jpg", "width": w, "height": h} for k, (w, h) in sizes.items()},
        "creators": [{"description": "Govardhan"}], "creation_date": "c. 1602",
    }  # fmt: skip
    return {"data": data | other}


def walters_rows(site: Site, *names: str) -> list[dict[str, str]]:
    return [{"id": f"walters_{name}", "image_url": f"{site.url}/{name}.jpg"} for name in names]


def write_list(folder: Path, rows: list[dict[str, str]]) -> Path:
    """Write a list of paintings as museum.csv is; what a row leaves out is filled in."""
    table = folder / "museum.csv"
    defaults = dict.fromkeys(LIST_COLUMNS, "") | {"split": "train", "caption": "a king"}
    with table.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, LIST_COLUMNS)
        writer.writeheader()
        writer.writerows(defaults | row for row in rows)
    return table


def closed_port() -> str:
    """Return an address where nothing answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{door.getsockname()[1]}"
