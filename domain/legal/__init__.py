"""Legal bases as values: what a legal text asks, by which evidence it is judged, and when (DOMAIN §5)."""
