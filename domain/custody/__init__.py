"""Custody arithmetic: which facts count, what they fold into, which days, spells and rolls follow (DOMAIN §6)."""
