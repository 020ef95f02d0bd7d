"""Where lenet was trained; it is now in `vizlib.course.training.lenet`."""

from ..deprecation import moved

__getattr__ = moved(__name__, {"train_lenet": "vizlib.course.training.lenet.train_lenet"})
