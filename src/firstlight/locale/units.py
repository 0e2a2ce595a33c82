"""Numbers with a unit, the same in each language."""


def size(count: float) -> str:
    """A number of bytes as it is read, in thousands.

    Memory and files alike: a million numbers of 4 bytes are 4 MB, as one counts them, and a download is as large as its
    site says. (PyTorch's own messages count in 1,024s, and say GiB.)

    Example:
        >>> size(300), size(1_572_864), size(170_498_071), size(24e9)
        ('300 B', '1.6 MB', '170 MB', '24.0 GB')
    """
    if count < 999.5:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5 or unit == "TB":
            break
    return f"{count:.1f} {unit}" if count < 99.95 else f"{count:.0f} {unit}"
