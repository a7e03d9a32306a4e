"""The channel: what arrives from a messaging platform, where a person is in the talk, what goes out."""
