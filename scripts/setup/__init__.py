"""Steps shared by ``scripts/run.py`` and ``scripts/test.py``: from a fresh clone to a program that runs.

Standard library only, because nothing else is there yet when these modules are imported.
"""
