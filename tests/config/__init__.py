"""What is read and built at the start: the clock and what it is compared with."""
