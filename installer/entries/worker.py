"""Entry of the frozen, Qt-free background program `h2ogpt-worker KIND …`: the host and every worker."""

import sys

from app.core.frozen import clean_environment

clean_environment()


def main() -> int:
    """Start the background process that the arguments name; return its exit code."""
    if sys.argv[1:2] == ["host"]:
        from app.host.__main__ import main as host

        return host(sys.argv[2:])
    from app.worker.__main__ import main as worker

    return worker()


sys.exit(main())
