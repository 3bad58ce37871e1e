"""Ask a few hosts for files: once a second each, patiently, and never anywhere that they pass us on to."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from lessons_lib import __version__

AGENT = f"lora-lessons/{__version__} (a course in fine-tuning picture models; one request a second)"
PAUSE_S = 1.0  # between two requests to one host
FIRST_S, READ_S = 8.0, 30.0  # of silence: until a host has answered once, and from then on
BACK_OFF_S, PATIENCE_S = 2.0, 120.0  # the first wait after a refusal (doubled each time), and the longest
TRIES, HOPS = 4, 5
STRIKES = 3  # pictures in a row that a host keeps refusing before it is left alone
MOVED, PASSING = {301, 302, 303, 307, 308}, {403, 408, 429, 500, 502, 503, 504}


class Refused(ValueError):
    """Why a painting cannot be had; asking again would not help."""


class Passing(Exception):
    """Why an answer was not given this time. `wait_s`: how long the host asks to be left in peace, 0 if it does not."""

    def __init__(self, reason: str, wait_s: float = 0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Moved(Exception):
    """The answer lies at another address, which is the message."""


class NoRedirect(HTTPRedirectHandler):
    """Hands redirects to `Web.get`, which looks at the host first and keeps to one request a second."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Web:
    """Asks the museums' hosts: each at most once a second, patiently, and not at all once it proves silent.

    Proxies come from the usual environment variables. origins: those allowed for each museum, also after a redirect. limit_s: for one answer,
    however slowly it drips. Tests replace the first four.
    """

    origins: Mapping[str, Sequence[str]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    limit_s: float = 120
    opener: OpenerDirector = field(default_factory=lambda: build_opener(NoRedirect), init=False)
    free_at: dict[str, float] = field(default_factory=dict, init=False)
    reached: set[str] = field(default_factory=set, init=False)
    strikes: dict[str, int] = field(default_factory=dict, init=False)
    silent: dict[str, str] = field(default_factory=dict, init=False)  # origin: why it is not asked any more

    def get(self, museum: str, address: str, types: Container[str], most: int) -> bytes:
        """Return the body, of one of the content types and at most so many bytes. Raises Refused."""
        for _ in range(HOPS):
            try:
                found, body = self.patiently(self.allowed(museum, address), most)
            except Moved as moved:
                address = urljoin(address, str(moved))
                continue
            if found not in types:
                page = ": a web page in its place" if found == "text/html" else ""
                raise Refused(f"came as {found}{page}")
            return body
        raise Refused(f"is passed on from address to address, more than {HOPS} times")

    def allowed(self, museum: str, address: str) -> str:
        """Return the address, quoted for the wire. Raises Refused when it leads away from the museum's own hosts."""
        address = quote(address, safe="%/:?=&+,;@!$'()*~#")
        if (found := origin(address)) not in self.origins[museum]:
            expected = " or ".join(self.origins[museum])
            raise Refused(f"its address leads to {found}; expected {expected}, so it was not followed")
        return address

    def patiently(self, address: str, most: int) -> tuple[str, bytes]:
        """Return content type and body, asking again after a growing wait. Raises Refused, Moved."""
        host, reason = origin(address), ""
        for attempt in range(TRIES):
            self.pause(host)
            try:
                answer = self.once(address, most)
            except Passing as problem:
                reason = f"{host} {problem}"
                self.hold(host, reason, problem.wait_s or BACK_OFF_S * 2**attempt)
                continue
            self.strikes[host] = 0
            return answer
        self.strikes[host] = self.strikes.get(host, 0) + 1
        if self.strikes[host] == STRIKES:
            self.silent[host] = f"not asked for: {reason}, for {STRIKES} pictures in a row"
        raise Refused(f"{reason}; asked {TRIES} times")

    def pause(self, host: str) -> None:
        """Wait until the host may be asked. Raises Refused when it is not to be asked any more."""
        if host in self.silent:
            raise Refused(self.silent[host])
        now = self.clock()
        if (left := self.free_at.get(host, now) - now) > 0:
            self.sleep(left)

    def hold(self, host: str, reason: str, wait_s: float) -> None:
        """Leave the host in peace for so long; for the rest of this run where that is longer than anybody waits."""
        self.free_at[host] = self.clock() + max(wait_s, PAUSE_S)
        if wait_s > PATIENCE_S:
            self.silent[host] = (
                f"{reason} and asks to wait {wait_s:.0f} s; run the same command again after that"
            )

    def once(self, address: str, most: int) -> tuple[str, bytes]:
        """Return content type and body of one request. Raises Passing, Moved, Refused.

        A host that has never answered and cannot be reached is given up at once: offline shows in seconds.
        """
        host = origin(address)
        self.free_at[host] = self.clock() + PAUSE_S
        request = Request(address, headers={"User-Agent": AGENT})
        try:
            with self.opener.open(request, timeout=READ_S if host in self.reached else FIRST_S) as answer:
                self.reached.add(host)
                return answer.headers.get_content_type(), self.body(answer, most)
        except HTTPError as problem:
            self.reached.add(host)
            with problem:
                raise refusal(problem) from None
        except URLError as problem:
            if host in self.reached:
                raise Passing(f"cannot be reached ({problem.reason})") from None
            self.silent[host] = f"{host} cannot be reached ({problem.reason})"
            raise Refused(self.silent[host]) from None
        except (OSError, http.client.HTTPException) as problem:
            raise Passing(f"broke off ({problem or type(problem).__name__})") from None

    def body(self, answer: http.client.HTTPResponse, most: int) -> bytes:
        """Return the whole body. Raises Passing when it is cut short, Refused when it is too large or too slow."""
        until, expected, parts, size = self.clock() + self.limit_s, answer.length, [], 0
        while expected is None or size < expected:
            if max(size, expected or 0) > most:
                raise Refused(f"is larger than {most >> 20} MB")
            if self.clock() > until:
                raise Refused(f"came too slowly: {size} bytes in {self.limit_s:g} s")
            if not (part := answer.read1(1 << 16)):
                break
            parts.append(part)
            size += len(part)
        if expected is not None and size < expected:
            raise Passing(f"cut the answer short ({size} of {expected} bytes)")
        return b"".join(parts)


def origin(address: str) -> str:
    """Return scheme and host, which decide whom a request goes to. A name or password before the host stays part of it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def refusal(problem: HTTPError) -> Passing | Moved | Refused:
    """Return what an answer that is not 200 means: ask again later, ask elsewhere, or leave it."""
    to = problem.headers.get("Location")
    if problem.code in MOVED and to:
        return Moved(to)
    if problem.code in PASSING:
        return Passing(f"answers {problem.code}", seconds(problem.headers.get("Retry-After", "")))
    return Refused(f"{origin(problem.url)} answers {problem.code}" + (": not there" * (problem.code == 404)))


def seconds(retry_after: str) -> float:
    """Return how long a host asks to wait, in seconds; it may name a number or a date. 0 for anything else."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
