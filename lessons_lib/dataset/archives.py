"""Look into a zip of pictures without unpacking it to disk: each member is read into memory when it is
needed.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Lock

from lessons_lib.dataset.decode import check_file_size
from lessons_lib.dataset.messages import PictureError, one_line, printable

MAX_FILES = 20_000
MAX_GIGABYTES = 20  # of all members, unpacked
_MAX_RATIO = 200  # unpacked to packed, of a member above a megabyte; pictures hardly shrink in a zip
Problem = tuple[Path, str]  # a file, and a sentence that names it
Reader = Callable[[], bytes]


def is_zip(start: bytes) -> bool:
    """Return, by its first bytes whether a file is a zip, an empty one included."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def list_members(
    file: Path | bytes, path: Path, problems: list[Problem], prefix: str = ""
) -> dict[str, Reader]:
    """Return how to read each member, by its name behind `prefix`.

    Members that are refused become `problems`.
    A name that leads out of the zip, a link and an encrypted member are refused;
    two members of one name are both kept. Raises PictureError for what is not a valid zip,
    or holds more than the limits above.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file)
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        raise PictureError(
            f"{printable(path)}: is no whole zip ({one_line(problem)}); expected a zip of pictures. "
            "Make it or download it again"
        ) from None
    _check_limits(path, infos)
    lock = Lock()  # zipfile counts its open members without one
    readers: dict[str, Reader] = {}
    for info in infos:
        name = _member_name(info)
        refusal = _refusal(info, name)
        if refusal:
            problems.append(
                (path / PurePosixPath(name).name, f"{printable(path)}: {printable(name)} {refusal}")
            )
            continue
        readers[unused_name(prefix + name, readers)] = partial(_read_member, archive, lock, info, path)
    return readers


def _check_limits(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Raise PictureError for a zip with too many members, or that unpacks to too much."""
    size = sum(info.file_size for info in infos)
    if len(infos) > MAX_FILES or size > MAX_GIGABYTES * 10**9:
        raise PictureError(
            f"{printable(path)}: holds {len(infos):,} files of {size / 1e9:,.1f} GB; expected at most "
            f"{MAX_FILES:,} files and {MAX_GIGABYTES} GB. Take some out, or unpack it yourself"
        )


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name with forward slashes; UTF-8 that some programs do not declare is put right."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass  # a name in an older code page, as zipfile read it
    return name.replace("\\", "/")


def _refusal(info: zipfile.ZipInfo, name: str) -> str:
    """Return why a member is refused, or an empty text."""
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return "names a place outside the zip; expected pictures inside. It was left out"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link, not a file; expected the picture itself. Zip it again without links"
    if info.flag_bits & 1:
        return "is encrypted; expected a zip without a password. Unpack it, and name the folder"
    if info.file_size > max(10**6, _MAX_RATIO * info.compress_size):
        return (
            f"unpacks to {info.file_size / max(1, info.compress_size):,.0f} times its size; expected a "
            "picture"
        )
    return ""


def unused_name(name: str, used: dict[str, Reader]) -> str:
    """Return the name, with a number where it is in use."""
    pure, number, free = PurePosixPath(name), 2, name
    while free in used:
        free, number = str(pure.with_stem(f"{pure.stem} ({number})")), number + 1
    return free


def _read_member(archive: zipfile.ZipFile, lock: Lock, info: zipfile.ZipInfo, path: Path) -> bytes:
    """Return a member's bytes.

    Raises PictureError when it does not unpack; zipfile stops at the size it declares.
    """
    member = path / _member_name(info)
    check_file_size(member, info.file_size)
    try:
        with lock:
            return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as problem:
        raise PictureError(
            f"{printable(member)}: does not unpack ({one_line(problem)}); expected a whole zip. Make it or "
            "download it again"
        ) from None
