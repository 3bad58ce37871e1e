"""The helper library of the course: pictures in, a LoRA out, and an honest before and after."""

__version__ = "0.2.0"

import logging

# transformers says at every import that torchvision is missing; nothing here needs it,
# and lessons compare stderr.
logging.getLogger("transformers.utils.import_utils").setLevel(logging.ERROR)
