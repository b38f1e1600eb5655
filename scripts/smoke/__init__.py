"""The test of the installed program: a clean system, a virtual screen, the main job, what is left behind."""
