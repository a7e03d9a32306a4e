"""What is said and asked: the dialog, what its steps accept, and what they set to work."""
