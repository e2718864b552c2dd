"""What drives every view: tables on two engines, following, catching up, rebuilding, asking."""
