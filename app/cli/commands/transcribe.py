"""`h2ogpt transcribe`: what is said in audio and video files, with times."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from app.cli import arguments
from app.cli.output import file_name, print_error, print_json, print_words
from app.cli.progress_line import ProgressLine
from app.client import HostClient
from app.core.errors import AppError, UsageError, WorkerError
from app.protocol.speech import SpeechSegment
from app.protocol.voice import TranscribeFile, Transcript, TranscriptionProgress


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="an audio or video file")
    parser.add_argument(
        "--language", metavar="XX", default="", help="language spoken (two letters; default: the setting's)"
    )
    parser.add_argument(
        "--translate", action="store_true", help="write it down in English (needs a multilingual model)"
    )
    parser.add_argument("--model", metavar="NAME", default="", help="speech model (default: the setting's)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--srt", action="store_true", help="print subtitles in the SubRip format")
    form.add_argument("--vtt", action="store_true", help="print subtitles in the WebVTT format")
    arguments.add_json(form)  # type: ignore[arg-type]  # a group declares arguments as a parser does


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Transcribe each file; return 1 where one failed.

    Raises:
        UsageError: `transcript.one_file`.
    """
    if (options.srt or options.vtt) and len(options.files) > 1:
        raise UsageError(
            "transcript.one_file", "Subtitles are made of one file at a time.", "Name one file only."
        )
    code = arguments.DONE
    for path in options.files:
        try:
            transcript = await _transcribed(options, client, path)
        except AppError as error:
            if client.closed:
                raise
            _name(options, path)
            print_error(error, as_json=options.json)
            code = arguments.FAILED
            continue
        _print(options, transcript)
        if transcript.note:
            _name(options, path)
            sys.stderr.write(f"{transcript.note}\n")
    return code


async def _transcribed(options: argparse.Namespace, client: HostClient, path: str) -> Transcript:
    request = TranscribeFile(
        path=arguments.absolute_path(path),
        language=options.language,
        translate=True if options.translate else None,
        model=options.model,
    )
    line = ProgressLine()
    in_words = not (options.json or options.srt or options.vtt)
    if in_words and len(options.files) > 1:
        print_words(f"{file_name(path)}:")
    try:
        async for body in client.stream(request):
            if isinstance(body, Transcript):
                return body
            if isinstance(body, TranscriptionProgress):
                line.clear()
                for segment in body.segments if in_words else ():
                    print_words(_in_words(segment))
                line.show(_how_far(path, body))
    finally:
        line.clear()
    raise WorkerError(
        "host.bad_answer", "The background process ended the transcription without a result.", "Try again."
    )


def _print(options: argparse.Namespace, transcript: Transcript) -> None:
    if options.json:
        print_json(as_value(transcript))
    elif options.srt:
        print_words(srt(transcript.segments))
    elif options.vtt:
        print_words(vtt(transcript.segments))
    elif not transcript.segments:
        print_words("Nothing is said in this file.")


def _name(options: argparse.Namespace, path: str) -> None:
    """Say on standard error which of several files the next words are about."""
    if len(options.files) > 1:
        sys.stderr.write(f"{file_name(path)}: ")


def as_value(transcript: Transcript) -> dict[str, Any]:
    """Give the JSON value of a transcript."""
    return {
        "text": transcript.text,
        "language": transcript.language,
        "segments": [
            {
                "start_s": round(segment.start_s, 3),
                "end_s": round(segment.end_s, 3),
                "text": segment.text,
                "probability": round(segment.probability, 4),
            }
            for segment in transcript.segments
        ],
        "seconds": round(transcript.seconds, 3),
    }


def srt(segments: Sequence[SpeechSegment]) -> str:
    """Give subtitles as SubRip: number, times with a comma, text, blank line."""
    return "\n".join(
        f"{number}\n{_time(segment.start_s, ',')} --> {_time(segment.end_s, ',')}\n{segment.text.strip()}\n"
        for number, segment in enumerate(segments, 1)
    )


def vtt(segments: Sequence[SpeechSegment]) -> str:
    """Give subtitles as WebVTT. Source: W3C, WebVTT (a header, then cues; `&` and `<` are escaped)."""
    cues = (
        f"{_time(segment.start_s, '.')} --> {_time(segment.end_s, '.')}\n"
        f"{segment.text.strip().replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\n"
        for segment in segments
    )
    return "\n".join(("WEBVTT\n", *cues))


def _time(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{rest:03}"


def _in_words(segment: SpeechSegment) -> str:
    whole = int(segment.start_s)
    clock = f"{whole // 60:02}:{whole % 60:02}" if whole < 3600 else _time(whole, ".").partition(".")[0]
    return f"[{clock}] {segment.text.strip()}"


def _how_far(path: str, progress: TranscriptionProgress) -> str:
    if progress.total_s:
        return f"{file_name(path)}: {min(1.0, progress.done_s / progress.total_s):.0%}"
    return f"{file_name(path)}: {progress.done_s:.0f} s"
