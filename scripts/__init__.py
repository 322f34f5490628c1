"""What people and CI run around the broker. Commands are the files without suffix; their Python is in `*_parts`."""
