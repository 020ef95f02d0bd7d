"""The folder data/ of the checkout becomes vizlib/data in a wheel; all the rest is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["vizlib", "vizlib.*"]), "vizlib.data"],
    package_dir={"vizlib.data": "data"},
    package_data={"vizlib": ["py.typed"], "vizlib.explore": ["*.js", "kinds/*.js"], "vizlib.data": ["**"]},
)
