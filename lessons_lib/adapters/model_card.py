"""The model card of an adapter folder: its README.md, with the YAML head that the Hub reads and the rights of
every picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.dataset.pictures import RIGHTS, Picture
from lessons_lib.models import families
from lessons_lib.models.bases import Base

_TAGS = ("text-to-image", "diffusers", "lora", "template:sd-lora")


def readme(settings: ResolvedSettings, pictures: Sequence[Picture], base: Base) -> str:
    """Return the README.md of an adapter folder: Hub head, how to draw with it, how it was made,
    whose pictures.

    The licence is the base model's, under which a derived adapter falls.
    Nothing in it names this machine's folders.
    """
    keys = ("rank", "alpha", "steps", "learning_rate", "batch")
    values = ", ".join(f"{key.replace('_', ' ')} {getattr(settings, key):g}" for key in keys)
    repository = json.dumps("pocket/model" if base.is_local else base.repository)
    prompt = settings.sample_prompts[0] if settings.sample_prompts else settings.trigger
    training = f"taught a {settings.mode} from {len(pictures)} pictures"
    return f"""{_front_matter(settings, base)}
# {settings.name or settings.trigger}

A LoRA adapter for {_link(base)}, {training}. Trigger word: `{settings.trigger}`.

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained({repository})
pipe.load_lora_weights(".", adapter_name="learned")  # this folder
pipe.set_adapters("learned", {base.strength:g})
picture = pipe(prompt={json.dumps(prompt, ensure_ascii=False)}, {_pipeline_arguments(base)}).images[0]
```

Made with {values}, seed {settings.seed}. The base model's licence ({base.licence}) holds for it.

## The pictures it was taught with

{_rights_table(pictures)}
"""


def _front_matter(settings: ResolvedSettings, base: Base) -> str:
    """Return the card's YAML head as the Hub reads it.

    A base in a folder of its own has no name on the Hub.
    """
    rows = [f"license: {base.hub_licence}"]
    rows += [f"license_name: {json.dumps(base.hub_licence_name)}"] if base.hub_licence_name else []
    rows += [f"license_link: {base.hub_licence_link}"] if base.hub_licence_link else []
    rows += [] if base.is_local else [f"base_model: {base.repository}"]
    trigger = json.dumps(settings.trigger, ensure_ascii=False)
    rows += ["library_name: diffusers", f"instance_prompt: {trigger}"]
    rows += ["tags:", *[f"- {tag}" for tag in _TAGS]]
    prompts = [json.dumps(prompt, ensure_ascii=False) for prompt in settings.sample_prompts]
    rows += ["widget:", *[f"- text: {prompt}" for prompt in prompts]] if prompts else []
    return "---\n" + "\n".join(rows) + "\n---\n"


def _link(base: Base) -> str:
    return (
        f"`{base.name}`, the model in `pocket/model` of the course"
        if base.is_local
        else f"`{base.repository}`"
    )


def _pipeline_arguments(base: Base) -> str:
    """Return the pipeline's arguments for a base as they stand in a call."""
    arguments = families.find(base.family).pipeline_arguments(base, None, None)
    return ", ".join(f"{name}={value:g}" for name, value in arguments.items())


def _rights_table(pictures: Sequence[Picture]) -> str:
    """Return whose pictures they are as a Markdown table, and a plain warning where a licence is not
    known.
    """
    head = f"| file | {' | '.join(RIGHTS)} |\n|{'---|' * (len(RIGHTS) + 1)}\n"
    rows = []
    for picture in pictures:
        cells = [picture.path.name, *[picture.rights.get(key) or "unknown" for key in RIGHTS]]
        rows.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    unknown = sum(not picture.rights.get("licence") for picture in pictures)
    warning = (
        f"\n\nThe licence of {unknown} of these pictures is not known: **do not publish this adapter** "
        "before it is."
        if unknown
        else ""
    )
    return head + "\n".join(rows) + warning
