"""The domain: pure rules and values; no Qt, no engines, no processes."""
