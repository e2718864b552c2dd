"""The commands of `custody`: one module a group, or one a command that stands alone."""
