"""The voice worker: microphone, speech to text, text to speech, loudspeaker."""
