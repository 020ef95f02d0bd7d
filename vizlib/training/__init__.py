"""python -m vizlib.training NAME: the short way to `vizlib.course.training`."""
