"""The whole zoo: python tests/zoo [--only PATTERN] [--out FILE] [--again]

Takes hours: every network of networks.py through every method, at two sizes. Each network becomes a line
of FILE; those that are there already are not run again, so that a run can be ended and go on. The page
outcome.md is made from all lines in the end. Several may run at once, each with a pattern of its own.
"""

import argparse
import fnmatch
import gc
import json
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from networks import everything
from outcomes import PAGE, of_network, page, read

parser = argparse.ArgumentParser(prog="python tests/zoo")
parser.add_argument("--only", default="*", help="names to run, as in a shell: 'timm/*', torchvision/resnet18")
parser.add_argument("--out", default=Path(tempfile.gettempdir()) / "zoo.jsonl", help="the file of lines")
parser.add_argument("--again", action="store_true", help="run what is in the file already, too")


def main(only, out, again):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    wanted = everything()
    for name in fnmatch.filter(wanted, only):
        if again or name not in read(out):
            row = of_network(name)
            with open(out, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{name}: {row.get('seconds', 0)} s", flush=True)
            del row
            gc.collect()
    PAGE.write_text(page(read(out), wanted), encoding="utf-8")


if __name__ == "__main__":
    main(**vars(parser.parse_args()))
