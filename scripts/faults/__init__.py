"""Fault drills with real processes: each script breaks something on purpose and prints what the user would see."""
