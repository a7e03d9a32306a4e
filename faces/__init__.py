"""Faces: finding, measuring and comparing them, liveness, reading ID cards. Images in, findings out."""
