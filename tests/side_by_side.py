"""The quick and the slow tests at once, each in a process of its own: what `make check` ends with.

Two processes are what two cores do in half of the time. The quick ones' output comes when they have ended.
"""

import subprocess
import sys
import tempfile

QUICK, SLOW = "not slow", "slow and not engines"


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-m"]
    with tempfile.TemporaryFile("w+") as said:
        quick = subprocess.Popen([*command, QUICK, "-p", "no:cacheprovider"], stdout=said, stderr=subprocess.STDOUT)
        slow = subprocess.run([*command, SLOW], check=False).returncode
        failed = quick.wait() or slow
        said.seek(0)
        print(said.read())
    return failed


if __name__ == "__main__":
    sys.exit(main())
