"""The rooms at the top of the checkout become packages of florenz, found by their `__init__.py`, not by a list."""

from pathlib import Path

from setuptools import find_packages, setup

NO_ROOMS = ("benchmarks", "florenz", "installation", "tests")

rooms = [path.parent.name for path in sorted(Path(__file__).parent.glob("*/__init__.py"))]
rooms = [room for room in rooms if room not in NO_ROOMS]
packages = find_packages(include=[*rooms, *(f"{room}.*" for room in rooms)])
setup(
    # configs is no room: its recipes are data, which MANIFEST.in names, as the playground's models.
    packages=["florenz", "florenz.configs", *(f"florenz.{package}" for package in packages)],
    package_dir={"florenz": "florenz", "florenz.configs": "configs", **{f"florenz.{room}": room for room in rooms}},
)
