"""Which files are recordings, by their names; what truly is one, the host finds out."""

from pathlib import PurePath

_AUDIO = "aac aif aifc aiff amr ape au caf flac m4a m4b mka mp2 mp3 oga ogg opus ra tta w64 wav wma wv"
_VIDEO = "3g2 3gp asf avi f4v flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv qt rm webm wmv"
AUDIO = frozenset(_AUDIO.split())
VIDEO = frozenset(_VIDEO.split())


def is_recording(name: str) -> bool:
    """Tell by a file's name whether its speech is transcribed."""
    return PurePath(name).suffix.lower().lstrip(".") in AUDIO | VIDEO
