"""One reader a format: each turns a Source into an Extract."""
