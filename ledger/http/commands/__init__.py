"""What records something: where it is sent, how it is read, how it waits, how it is answered."""
