"""The background processes, the only place where engines, parsers and document libraries are imported."""
