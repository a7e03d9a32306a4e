"""The load player: people who enrol over the real protocol, and a platform that hears for them."""
