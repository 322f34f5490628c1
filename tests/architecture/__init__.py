"""Is the tree still what the architecture says? Read as text and syntax, never run."""
