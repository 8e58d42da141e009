from setuptools import find_packages, setup

packages = find_packages(include=["app*", "schemas*", "workers*"])
setup(packages=[*packages, "poolgate_launcher"])
