"""The game put into Lightning."""
