"""`python -m app.ui` opens the window."""

import sys

from app.ui.start import main

if __name__ == "__main__":
    sys.exit(main())
