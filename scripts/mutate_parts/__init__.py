"""What `scripts/mutate` is made of: a copy of the tree, mutmut's runs on it, and what they left alive."""
