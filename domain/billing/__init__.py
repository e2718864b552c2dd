"""How custody earns money: fee spells, custody days, invoice lines, the books' postings (MONEY §3-§7)."""
