"""HTML pages from Jinja2 templates.

Every text is escaped; pictures lie in the page, so that it loads nothing.
"""

from __future__ import annotations

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from lessons_lib.display import theme


def render_template(template: str, /, **values: object) -> str:
    """Return a page of `templates/` with these values in it.

    Raises UndefinedError where the page needs another one.
    """
    return _ENVIRONMENT.get_template(template).render(values)


def data_uri(image: Image.Image, side: int = 0) -> str:
    """Return a picture as a JPEG data URI, its long side at most `side` px where that is given."""
    copy = image.convert("RGB")
    if side:
        copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=90, subsampling=0)
    return jpeg_uri(out.getvalue())


def jpeg_uri(data: bytes) -> str:
    """Return the bytes of a JPEG as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


_ENVIRONMENT = Environment(
    loader=PackageLoader("lessons_lib.display"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"data_uri": data_uri, "jpeg_uri": jpeg_uri}
_ENVIRONMENT.globals["theme"] = theme
