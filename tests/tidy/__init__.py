"""The tree itself under test: what STYLE asks and a tool can hold."""
