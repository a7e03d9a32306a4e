"""The channel: what arrives from a platform, where a person is in the talk, what goes out."""
