"""What may be wrong with a transcript, in words: files of the library, and what was spoken to the window."""

DOUBTFUL_CODE = "transcript.doubtful"
DAMAGED_CODE = "transcript.damaged"
ONE_TRACK_CODE = "transcript.one_track"
NOTES = {
    DOUBTFUL_CODE: (
        "This does not sound like English, and the speech model here knows English only.",
        "Get a multilingual one in Models.",
    ),
    DAMAGED_CODE: (
        "Parts of the file are damaged, and what is said there is missing.",
        "Compare it with the original, or get the file anew.",
    ),
    ONE_TRACK_CODE: (
        "This file has several tracks of sound, and one of them was transcribed.",
        "Save another one as a file of its own to get its words.",
    ),
}
"""By code: the words and a next step."""
