"""Pure tests of the words."""
