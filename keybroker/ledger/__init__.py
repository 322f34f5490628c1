"""What happened, in an order that nobody can change; and what was spent."""
