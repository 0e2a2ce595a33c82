"""`python -m firstlight` is the command `firstlight`."""

import sys

from firstlight.cli import main

sys.exit(main())
