"""Small widgets that several panes are made of, and the way out to the system's programs."""
