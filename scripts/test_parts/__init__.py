"""Single checks that scripts/test runs."""
