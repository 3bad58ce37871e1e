"""The helper library of the course: pictures in, a LoRA out, and an honest before and after."""

__version__ = "0.3.0"

import logging
import os

# Threads that are done before the others sleep until they are needed. By default they spin, which beside
# other programs makes a step on two cores ten times as long. Read when PyTorch is loaded, so set before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# transformers says at every import that torchvision is missing, and bitsandbytes that a package for faster
# processors is; nothing here needs them, and lessons compare stderr.
for _name in ("transformers.utils.import_utils", "bitsandbytes"):
    logging.getLogger(_name).setLevel(logging.ERROR)
