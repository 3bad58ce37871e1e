"""Get files from a few hosts with httpx: one request a second to each, growing waits,
no redirect to any other host.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from lessons_lib import __version__

_AGENT = f"lora-lessons/{__version__} (a course in fine-tuning picture models; one request a second)"
_HEADERS = {
    "User-Agent": _AGENT,
    "Accept-Encoding": "identity",
}  # unpacked, so that max_bytes is what is kept
FIRST_TIMEOUT_S, TIMEOUT_S = 8, 30  # of silence: until a host has given a file, and from then on
PAUSE_S, BACK_OFF_S, LONGEST_WAIT_S = 1, 2, 120  # between requests; after a failure, then doubled; at most
ATTEMPTS, MAX_REDIRECTS, MAX_FAILURES = 4, 4, 3  # failures: files in a row, before a host is given up
_RETRY_STATUS = {403, 408, 429, 500, 502, 503, 504}
_UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


class DownloadError(ValueError):
    """Why a file cannot be fetched; asking again would not help."""


@dataclass
class _Host:
    next_request_at: float = 0  # on the client's clock
    has_given_a_file: bool = False
    failures: int = 0
    given_up: str = ""  # why it is not asked any more


@dataclass
class PoliteClient:
    """Gets files from the origins that each museum may use. limit_s: for one body, however slowly it arrives.

    Proxies come from the environment; raises ValueError for one that cannot be used. Tests replace the clock.
    """

    origins: Mapping[str, Sequence[str]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    limit_s: float = 120
    _hosts: dict[str, _Host] = field(default_factory=lambda: defaultdict(_Host), init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # no connection is left open
        hooks = {"response": [httpx.Response.raise_for_status]}  # raises for redirects too
        try:
            self._client = httpx.Client(headers=_HEADERS, limits=limits, event_hooks=hooks)
        except (ImportError, ValueError) as error:
            expected = "expected an http:// address in HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
            raise ValueError(f"the environment's proxy cannot be used ({error}); {expected}") from None

    def get(self, museum: str, address: str, max_bytes: int) -> bytes:
        """Return the body of the answer, at most so many bytes. Raises DownloadError."""
        url = httpx.URL()
        for _ in range(1 + MAX_REDIRECTS):
            url = self._resolve(museum, url, address)
            response, body = self._get_with_retries(url, max_bytes)
            if not response.has_redirect_location:
                return body
            address = response.headers["Location"]
        raise DownloadError(f"redirects from address to address, more than {MAX_REDIRECTS} times")

    def _resolve(self, museum: str, base: httpx.URL, address: str) -> httpx.URL:
        """Return where an address leads, seen from `base`.

        Raises DownloadError where that is not the museum's.
        """
        try:
            url = base.join(address)
        except (httpx.InvalidURL, ValueError) as error:
            raise DownloadError(f"its address is not a URL ({error})") from None
        if _origin(url) not in self.origins[museum]:
            expected = " or ".join(self.origins[museum])
            raise DownloadError(f"its address leads to {_origin(url)}, not followed; expected {expected}")
        return url

    def _get_with_retries(self, url: httpx.URL, max_bytes: int) -> tuple[httpx.Response, bytes]:
        """Return an answer that is a file or a redirect, and its body. Raises DownloadError."""
        host, reason = self._hosts[_origin(url)], ""
        for attempt in range(ATTEMPTS):
            self._wait_for_turn(host)
            wait_s: float = BACK_OFF_S * 2**attempt
            timeout_s = TIMEOUT_S if host.has_given_a_file else FIRST_TIMEOUT_S
            try:
                with self._client.stream("GET", url, timeout=timeout_s) as response:
                    body = self._read(response, max_bytes)
                host.has_given_a_file, host.failures = True, 0
                return response, body
            except httpx.HTTPStatusError as error:
                if error.response.has_redirect_location:
                    return error.response, b""
                reason = f"{_origin(url)} answers {error.response.status_code} {error.response.reason_phrase}"
                if error.response.status_code not in _RETRY_STATUS:
                    raise DownloadError(reason) from None
                wait_s = max(wait_s, _seconds(error.response.headers.get("Retry-After", "")))
            except _UNREACHABLE as error:
                reason = f"{_origin(url)} cannot be reached ({error})"
                if not host.has_given_a_file:
                    host.given_up = reason
            except httpx.TransportError as error:
                reason = f"{_origin(url)} broke off ({str(error) or type(error).__name__})"
            host.next_request_at = self.clock() + wait_s
            if wait_s > LONGEST_WAIT_S:
                host.given_up = f"{reason} and asks to wait {wait_s:.0f} s; run the command again after that"
        host.failures += 1
        if host.failures == MAX_FAILURES:
            host.given_up = f"not asked for: {reason}, for {MAX_FAILURES} pictures in a row"
        raise DownloadError(f"{reason}; asked {ATTEMPTS} times")

    def _wait_for_turn(self, host: _Host) -> None:
        """Wait until the host may be asked. Raises DownloadError when it is given up."""
        if host.given_up:
            raise DownloadError(host.given_up)
        if (early_s := host.next_request_at - self.clock()) > 0:
            self.sleep(early_s)
        host.next_request_at = self.clock() + PAUSE_S

    def _read(self, response: httpx.Response, max_bytes: int) -> bytes:
        """Return the body. Raises DownloadError when it is too large or too slow."""
        deadline, body, chunks = self.clock() + self.limit_s, bytearray(), response.iter_raw()
        size = int(response.headers.get("Content-Length", 0))
        while max(size, len(body)) <= max_bytes:
            if (chunk := next(chunks, None)) is None:
                return bytes(body)
            if self.clock() > deadline:
                raise DownloadError(f"came too slowly: {len(body)} bytes in {self.limit_s:g} s")
            body += chunk
        raise DownloadError(f"is larger than {max_bytes >> 20} MB")


def _origin(url: httpx.URL) -> str:
    """Return scheme, host and port, which decide whom a request goes to,
    with the user name where there is one.
    """
    return f"{url.scheme}://{url.userinfo.decode()}{'@' * bool(url.userinfo)}{url.netloc.decode()}"


def _seconds(retry_after: str) -> float:
    """Return the wait that a host asks for, as a number or a date, in seconds; 0 for anything else."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
