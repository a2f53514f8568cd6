"""The documentation site: the pages of this checkout, and those that are made of its feeds, topics and marts."""
