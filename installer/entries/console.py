"""Entry of the frozen console program `h2ogpt`."""

import sys

from app.core.frozen import clean_environment

clean_environment()

from app.cli.main import main  # noqa: E402

sys.exit(main())
