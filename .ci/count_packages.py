"""Tell in one line how far pip is: reads its output, `python -m pip install ... | python count_packages.py ALL`."""

import sys


def main() -> None:
    found, every = 0, int(sys.argv[1])
    begin, end = ("\r\033[K", "") if sys.stdout.isatty() else ("", "\n")

    def say(text: str) -> None:
        sys.stdout.write(f"{begin}  {text}{end}")
        sys.stdout.flush()

    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word in ("Collecting", "Requirement"):
            found += 1
            name = rest.removeprefix("already satisfied: ").split(" ")[0]
            say(f"{min(found, every)} of {every}: {name}")
        elif word == "Installing":
            say(f"unpacking all {every}")
    say(f"{every} of {every}: done\n" if begin else "all there")


main()
