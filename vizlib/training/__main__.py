"""python -m vizlib.training NAME --data PATH, see `vizlib.course.training`."""

import sys

from ..course.training.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
