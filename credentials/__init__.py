"""The card itself: who holds it, what it says, when it may be shown and to whom."""
