"""Entry: `python -m tests.fake_engine`."""

from tests.fake_engine.process import main

main()
