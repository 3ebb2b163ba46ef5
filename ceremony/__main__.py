"""`python -m ceremony`: the same as the command."""

import sys

from ceremony.cli import main

sys.exit(main())
