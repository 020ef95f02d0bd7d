"""What the tests of drawings share: a tensor that is somewhere else."""

import pytest
import torch


class Elsewhere(torch.Tensor):
    """A tensor that behaves as if it lay on an accelerator: it does not mix with tensors of the CPU that have
    axes, it knows no double precision (as MPS), and NumPy cannot see it before .cpu().
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert a tensor that is elsewhere to numpy. Use Tensor.cpu() first.")
        if name == "double" or any(part is torch.float64 for part in (*args, *kwargs.values())):
            raise TypeError("there is no float64 elsewhere")
        flat = [part for arg in args for part in (arg if isinstance(arg, (list, tuple)) else [arg])]
        tensors = [part for part in (*flat, *kwargs.values()) if isinstance(part, torch.Tensor)]
        here = [t for t in tensors if not isinstance(t, Elsewhere) and t.dim()]
        if here and len(here) < len(tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device in {name}")
        if name == "cpu" or name == "to" and "cpu" in map(str, (*args[1:], *kwargs.values())):
            return args[0].as_subclass(torch.Tensor)
        return super().__torch_function__(func, types, args, kwargs)


@pytest.fixture(scope="session")
def elsewhere():
    """elsewhere(tensor): the same numbers, as if they lay on an accelerator."""
    return lambda tensor: tensor.as_subclass(Elsewhere)
