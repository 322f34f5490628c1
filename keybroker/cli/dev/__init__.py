"""How does a developer get a whole deployment? In one directory, everything in it TEST; see ``deployment``."""
