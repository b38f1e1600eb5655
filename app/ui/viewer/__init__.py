"""The viewer: a document at the page that a citation names, with the exact words highlighted."""
