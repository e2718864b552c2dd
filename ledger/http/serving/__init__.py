"""Under the application: the server, its connections, and every request watched."""
