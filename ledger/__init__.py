"""How it runs: store, writer, HTTP, command line, importers, and the wiring between them."""
