"""The library pane: the user's files, what became of each, and what to do about it."""
