"""The tests, in the folders of what they are about; contracts, degradation, journeys and chaos are about the whole."""
