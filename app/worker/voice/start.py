"""What the voice worker does before its parts are imported, because they import the engines."""

from app.worker.voice.bundled_portaudio import offer_own_portaudio
from app.worker.voice.left_out import leave_out_downloads


def main(argv: list[str]) -> int:
    """Prepare, then serve until the host ends; return the exit code."""
    leave_out_downloads()
    offer_own_portaudio()
    from app.worker.voice.main import main as serve

    return serve(argv)
