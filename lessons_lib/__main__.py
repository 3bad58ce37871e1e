"""`python -m lessons_lib` is the `lessons` command."""

import sys

from lessons_lib.cli import main

sys.exit(main())
