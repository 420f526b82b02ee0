"""Text that attacks a page which shows it."""

from typing import Any

MARK = "window.attacked=(window.attacked||0)+1"
"""What a script does that should never run."""

ATTACKS = (
    f"</script><script>{MARK}</script>",
    f"<!--<script>{MARK}</script>",
    f"</title></style></bdi></details><img src=x onerror='{MARK}'>",
    f'" onmouseover="{MARK}" autofocus onfocus="{MARK}" x="',
    f"javascript:{MARK}",
    f"<svg onload={MARK}><iframe srcdoc='<script>parent.{MARK}</script>'>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'>",
    "a\u2028b\u2029c",
    "a\u202egnp.exe\u2066",
    "nul\0 escape\x1b]0;title\x07 \x9b",
    "{{sessions}} $style {0} %s &lt;b&gt; &amp;",
    "\ufffe\uffff \U0001f600 \u0000",
)

ATTACK = " ".join(ATTACKS)
"""All of them at once."""


def poison(value: Any, attack: str, *kept: str) -> Any:
    """Return some JSON with the attack behind each string and key, except under some keys."""
    match value:
        case str():
            return value + attack
        case list():
            return [poison(each, attack, *kept) for each in value]
        case dict():
            return {
                name: each if name in kept else poison(each, attack, *kept)
                for name, each in value.items()
            }
    return value
