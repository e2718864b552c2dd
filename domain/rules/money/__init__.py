"""The acts about money: the price agreed, the days fixed, the bill, the payment."""
