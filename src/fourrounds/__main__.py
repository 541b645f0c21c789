"""``python -m fourrounds`` is the command ``fourrounds``."""

import sys

from fourrounds.cli import main

sys.exit(main())
