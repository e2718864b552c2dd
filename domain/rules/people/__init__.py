"""One person's acts: who it is, on what ground held, where, how many a place takes, and the release."""
