"""The tree again, as tests, and tests of the whole."""
