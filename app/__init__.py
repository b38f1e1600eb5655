"""h2oGPT Desktop: a private, offline assistant for one person's documents."""

__version__ = "0.1.0"
