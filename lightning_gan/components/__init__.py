"""How components are found, described, checked and rebuilt."""
