"""The tests: words, contracts, verbs, doors, journeys, from the pure to the whole."""
