"""Right and wrong answers to the exercises of notebook 00, start here."""

import vizlib as vz
from vizlib.course import checks

RIGHT = {
    checks.least_sure: lambda net, names: min(
        names, key=lambda n: net.predict(vz.photo(n, 224), 1)[0]["probability"]
    ),
    checks.grey: lambda x: x.mean(1, keepdim=True).expand_as(x),
    checks.change_its_mind: lambda: ("binoculars", (0.72, 0.5), 0.5),
}

WRONG = [
    (checks.least_sure, lambda net, names: "giant_panda", "of giant_panda it is sure with probability 0.9"),
    (checks.least_sure, lambda net, names: "tabby", "should be one of the names; yours is 'tabby'"),
    (
        checks.grey,
        lambda x: x.mean(1, keepdim=True),
        "should have the shape (2, 3, 224, 224); yours has (2, 1, 224, 224)",
    ),
    (checks.grey, lambda x: x, "its values are off by up to"),
    (
        checks.change_its_mind,
        lambda: ("binoculars", (0.72, 0.5), 0.9),
        "half of the picture's height at most",
    ),
    (checks.change_its_mind, lambda: "binoculars", "return three things"),
    (checks.change_its_mind, lambda: ("crow", (0.5, 0.5), 0.5), "no cut-out with an ImageNet label"),
    (checks.change_its_mind, lambda: ("lemon", (0.05, 0.05), 0.05), "Try another cut-out, place or size"),
]
