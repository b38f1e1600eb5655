"""Fault drills with real processes: each script breaks something and prints what the user sees."""
