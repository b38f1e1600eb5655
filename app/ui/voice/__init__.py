"""Voice in the window: talking, reading aloud and their settings; sound itself is another process's work."""
