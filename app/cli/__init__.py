"""The command line: a thin front end over the client, without Qt."""
