"""`python -m app.ui` opens the window."""

import sys

from app.ui.application import main

if __name__ == "__main__":
    sys.exit(main())
