"""h2oGPT Desktop."""
