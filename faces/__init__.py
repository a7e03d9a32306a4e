"""Finding, measuring and comparing faces, liveness, ID cards: images in, findings out."""
