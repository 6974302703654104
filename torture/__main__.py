"""`python -m torture [PART ...] [--short]`: each part prints what it did and what went wrong; the exit code is 1 where
anything did. Without any option that makes it another run, and for all parts, the figures are written into
docs/torture.md; those of each part are kept, so that --resume goes on where a run was broken off."""

import argparse
import sys
import time
import traceback

from torture.broken import BROKEN, broken
from torture.page import Section, keep, kept, write_page
from torture.parts import OPTIONS, PARTS


def _ran(name: str, asked: argparse.Namespace) -> Section:
    """One part; where it fails itself, that is what went wrong, and the others go on."""
    began = time.monotonic()
    more = {option: getattr(asked, option) for option in OPTIONS.get(name, ())}
    try:
        section = PARTS[name](short=asked.short, **more)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other parts' figures are not lost with it
        traceback.print_exc()
        section = Section(name.capitalize(), "This part failed itself.", (), wrong=[f"it failed: {error!r}"])
    section.seconds = time.monotonic() - began
    return section


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all of them by default")
    parser.add_argument("--short", action="store_true", help="a sample of each")
    parser.add_argument("--stride", type=int, default=0, help="kill at every so many steps; at each by default")
    parser.add_argument(
        "--broken", choices=BROKEN, default="", dest="broke", help="break a promise first: each part must notice"
    )
    parser.add_argument(
        "--seconds", type=float, default=0, help="how long to fuzz, on one core: 120, or 3 of the sample"
    )
    parser.add_argument("--seed", type=int, default=0, help="fuzz as a run did that told this seed")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what was run at this commit and found nothing wrong"
    )
    asked = parser.parse_args()
    wanted = asked.parts or list(PARTS)
    broken(asked.broke)
    whole = not (asked.short or asked.broke or asked.stride or asked.seconds or asked.seed)
    sections = []
    for name in wanted:
        section = kept(name) if asked.resume and whole else None
        if section is None:
            section = _ran(name, asked)
            if whole:
                keep(name, section)
        sections.append(section)
        sys.stdout.write(
            "\n".join([f"{section.title}: {section.sentence} ({section.seconds:.0f} s)", *section.wrong[:20]]) + "\n"
        )
        sys.stdout.flush()
    if whole and not asked.parts:
        write_page(sections)
    return 1 if any(section.wrong for section in sections) else 0


if __name__ == "__main__":
    sys.exit(main())
