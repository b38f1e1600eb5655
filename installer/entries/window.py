"""Entry of the frozen window `h2ogpt-desktop`."""

import sys

from app.core.frozen import clean_environment

clean_environment()

from app.ui.start import main  # noqa: E402

sys.exit(main())
