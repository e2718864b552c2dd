"""The write path: commands become a batch, a batch becomes true in one transaction, and only then is anybody told."""
