"""Pure tests of the model."""
