"""Pages and JSON for holders, desks, operators and verifiers' own software."""
