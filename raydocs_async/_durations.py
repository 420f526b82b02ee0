"""Durations in messages; pure."""


def in_seconds(seconds: float) -> str:
    """Return a duration to three digits, such as ``0.25 s``; whole seconds are never cut."""
    # The rest of a deadline is a difference of two times, such as 1.99996.
    return f"{seconds:.3g} s" if seconds < 999 else f"{seconds:.0f} s"
