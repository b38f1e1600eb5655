"""The decoder: audio and video files to samples, in a process that may read files and do nothing else."""
