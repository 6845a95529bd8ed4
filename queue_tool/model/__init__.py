"""The model: data and rules. Nothing here reads a clock, the environment, the network, or a file after import."""
