"""What `scripts/fuzz` is made of: a process for each target, and what is told of it."""
