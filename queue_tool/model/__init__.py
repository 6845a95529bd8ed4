"""The model: data and rules. Nothing here reads a file at run time, a clock, the environment or the network."""
