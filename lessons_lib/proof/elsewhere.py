"""An adapter in a new process without this library: by bare diffusers, and by the code on its card."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from lessons_lib.adapters.run import CARD, WEIGHTS_NAME, Run
from lessons_lib.models import families, quantization
from lessons_lib.models.bases import Base
from lessons_lib.session import Session

_LIMIT = 3600  # s
_ALONE = "\nimport sys\nassert 'lessons_lib' not in sys.modules"


def draw_with_diffusers(run: Run, base: Base, session: Session, prompt: str, picture: Path) -> None:
    """Draw with a run's adapter by diffusers alone, in a new process, and save the picture.

    Raises RuntimeError with the last line of what it printed when it fails.
    """
    arguments = families.find(base.family).pipeline_arguments(base, None, None)
    _run(
        f"""
import torch
import diffusers
from diffusers import DiffusionPipeline
{_loading(base, session)}
pipe.load_lora_weights(".", weight_name={WEIGHTS_NAME!r}, adapter_name="tuned")
pipe.set_adapters("tuned", {base.strength!r})
generator = torch.Generator().manual_seed(1)
image = pipe(prompt={prompt!r}, generator=generator, **{arguments!r}).images[0]
image.save({str(picture)!r}){_ALONE}
""",
        run.folder,
    )


def run_card(run: Run, base: Base, picture: Path) -> None:
    """Run the code on the card of a run in its folder, and save the picture that it draws.

    Only the name of a base in a folder is replaced by that folder's path. Raises as `draw_with_diffusers`.
    """
    card = (run.folder / CARD).read_text(encoding="utf-8")
    code = card.split("```python")[1].split("```")[0]
    if base.is_local:
        start = "DiffusionPipeline.from_pretrained("
        code = re.sub(re.escape(start) + r'"[^"]*"', lambda _: start + repr(base.repository), code)
    result = "image" if re.search(r"^image =", code, re.MULTILINE) else "picture"
    _run(f"{code}\n{result}.save({str(picture)!r}){_ALONE}\n", run.folder)


def is_quantised_elsewhere(base: Base, session: Session) -> bool:
    """Return whether bare diffusers can load the base quantised as it says: on a CPU it refuses to."""
    return base.quantize == "none" or session.device.type != "cpu"


def _loading(base: Base, session: Session) -> str:
    """Return the lines that load a base as this library does."""
    dtype = base.precision(session)
    is_quantised = is_quantised_elsewhere(base, session)
    source = base.source if is_quantised else base.repository
    options = [repr(source), f"torch_dtype={dtype}", "use_safetensors=True"]
    if base.float16_vae and str(dtype) == "torch.float16":
        options.append(
            f"vae=diffusers.AutoencoderKL.from_pretrained({base.float16_vae!r}, torch_dtype=torch.float16)"
        )
    if base.quantize != "none" and is_quantised and not base.packed_source:
        code = quantization.as_code(base.quantize, families.find(base.family).DENOISER, str(dtype))
        options.append(f"quantization_config={code}")
    lines = [f"pipe = DiffusionPipeline.from_pretrained({', '.join(options)})"]
    place = f"enable_model_cpu_offload(device={session.device.type!r})"
    lines.append(f"pipe.{place}" if base.offload else f"pipe.to({session.device.type!r})")
    return "\n".join(lines)


def _run(code: str, folder: Path) -> None:
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        env=environment,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise RuntimeError(lines[-1])
