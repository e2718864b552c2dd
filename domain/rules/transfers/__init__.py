"""The acts of a transfer: asked for, evidenced, decided, and the person handed over."""
