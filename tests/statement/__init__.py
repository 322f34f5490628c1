"""Statements: what is refused of them, and the one that is taken."""
