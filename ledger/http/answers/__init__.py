"""The shapes of what reads answer: typed, so that the document and the service cannot differ."""
