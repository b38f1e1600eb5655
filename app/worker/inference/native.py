"""Loads llama.cpp's library; everything else imports it from here.

Attributes:
    lib: the module `llama_cpp`, of which only the C functions are used.
"""

import os
from typing import Any

# OpenMP's threads wait for each other after every node of a graph, by spinning for milliseconds. Where
# another program holds a core, all of them then wait for the one that lost it, and the spinning keeps that
# one from moving to another core: 1.3 to 10 tokens a second on two busy cores instead of 20 to 28. This many
# turns (about 20 µs) cover what threads wait for on free cores (90 tokens a second with either); then they
# sleep. libgomp reads the variable when it is loaded; to other OpenMP libraries it means nothing.
# Source: GCC's libgomp manual.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import llama_cpp

lib: Any = llama_cpp
