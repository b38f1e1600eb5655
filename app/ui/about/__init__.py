"""The box about the program: version, licences, and what it is made of."""
