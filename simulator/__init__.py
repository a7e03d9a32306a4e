"""A messaging platform on this machine, for demos and tests. The product never imports it."""
