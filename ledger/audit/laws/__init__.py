"""The laws that every log must obey (DOMAIN §6.7), each checked by other means than the code that it holds."""
