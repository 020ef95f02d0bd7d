"""The controls of a panel: pictures with thumbnails and upload, labels to type, layers, and ipywidgets' own.

A control has a `value` that says what was chosen (hashable), and an `argument` that the panel's function
receives.
"""

import base64
import hashlib
import io

import ipywidgets as widgets
import traitlets

from ..errors import VizlibError, did_you_mean
from ..images import open_image, photo, photos, to_pil

FAVOURITES = (
    "tabby_cat_chelsea",
    "giant_panda",
    "goldfish",
    "drum_kit_and_guitar",
    "castle_egeskov_and_lake",
    "ladybird_on_forget_me_nots",
)
UPLOADS = 8  # kept, so that one can go back to them
THUMBNAIL_STYLE = (
    ".vizlib-chosen { box-shadow: 0 0 0 3px #e66100 !important } "
    ".vizlib-thumbnail:focus-visible { outline: 3px solid #1565c0 !important; outline-offset: 2px }"
)
_WIDE = {"description_width": "70px"}


class PhotoChoice(widgets.VBox):
    """Choose a photo of the library by its thumbnail or its name, or upload one. `argument` is (1, 3, size,
    size) in [0, 1].
    """

    value = traitlets.Unicode()
    problem = traitlets.Unicode()  # with the last upload, in words: a browser event has nobody to raise to

    def __init__(self, names=FAVOURITES, size=224):
        self.size, self._uploads = size, {}
        everything = photos()["name"]
        names = list(names)
        for name in names:
            _known(name, everything)
        self._menu = widgets.Dropdown(
            options=everything, value=names[0], description="photo", style=_WIDE, layout={"width": "300px"}
        )
        self._upload = widgets.FileUpload(
            accept="image/*", multiple=False, description="your own picture", layout={"width": "300px"}
        )
        row, self._buttons = _thumbnails(names, self.choose)
        super().__init__([row, self._menu, self._upload])
        self._menu.observe(lambda change: change["new"] and self.choose(change["new"]), "value")
        self._upload.observe(self._uploaded, "value")
        self.observe(self._mark, "value")
        self.choose(names[0])

    def choose(self, picture):
        """Choose a photo by name, or anything that `open_image` reads. Raises VizlibError for what it does
        not.
        """
        if isinstance(picture, str) and picture in self._menu.options:
            self._menu.value = self.value = picture
            return
        if isinstance(picture, str) and picture in self._uploads:  # back to an earlier choice
            self._menu.value, self.value = None, picture
            return
        if isinstance(picture, str) and "." not in picture and "/" not in picture:
            _known(picture, self._menu.options)
        image = open_image(picture, self.size)
        name = "upload " + hashlib.sha256(image.numpy().tobytes()).hexdigest()[:8]
        self._uploads[name] = image
        if len(self._uploads) > UPLOADS:
            self._uploads.pop(next(iter(self._uploads)))
        self._menu.value = None
        self.value = name

    def _uploaded(self, change):
        if not change["new"]:
            return
        self.problem = ""
        try:
            self.choose(change["new"])
        except VizlibError as problem:  # the picture before it stays chosen
            self.problem = str(problem)
        self._upload.value = ()  # so that the same file can be chosen again

    def _mark(self, _change):
        for name, button in self._buttons.items():
            (button.add_class if name == self.value else button.remove_class)("vizlib-chosen")

    @property
    def argument(self):
        return self._uploads[self.value] if self.value in self._uploads else photo(self.value, self.size)


def _known(name, names):
    if name not in names:
        raise VizlibError(f"There is no photo {name!r}. {did_you_mean(name, names)}")


def _thumbnails(names, choose):
    """A row of buttons that carry small pictures, and the buttons by name."""
    styles, buttons = [THUMBNAIL_STYLE], {}
    for name in names:
        buffer = io.BytesIO()
        to_pil(photo(name, 56)).save(buffer, "JPEG", quality=80)
        button = widgets.Button(
            tooltip=f"photo: {name.replace('_', ' ')}",
            layout={"width": "46px", "height": "46px", "margin": "2px"},
        )
        button.add_class("vizlib-thumbnail").add_class(f"vizlib-{name}")
        button.on_click(lambda _, name=name: choose(name))
        data = base64.b64encode(buffer.getvalue()).decode()
        styles.append(
            f".vizlib-{name} {{ background: url(data:image/jpeg;base64,{data}) center / cover !important }}"
        )
        buttons[name] = button
    style = widgets.HTML(f"<style>{' '.join(styles)}</style>", layout={"display": "none"})
    return widgets.VBox([style, widgets.HBox(list(buttons.values()))]), buttons


class LabelChoice(widgets.Combobox):
    """Type a label of a network and get it completed. `argument` is the class index, or None (the top class)
    while empty.
    """

    def __init__(self, net, value=""):
        self._net = net
        super().__init__(
            value=value,
            options=tuple(dict.fromkeys(net.labels)),
            ensure_option=False,
            continuous_update=False,
            placeholder="top class (type another)",
            description="label",
            style=_WIDE,
            layout={"width": "300px"},
        )

    @property
    def argument(self):
        return self._net.index(self.value) if self.value.strip() else None


def choose_photo(names=FAVOURITES, size=224):
    """A control: thumbnails of `names`, a menu of all photos, and an upload. The function receives (1, 3,
    size, size) in [0, 1].
    """
    return PhotoChoice(names, size)


def choose_label(net, value=""):
    """A control: a label of `net`, completed while typing. The function receives a class index, or None while
    it is empty.
    """
    return LabelChoice(net, str(value))


def choose_layer(net, value=None, spatial=True):
    """A control: a layer of `net`; with `spatial` only those with a grid of positions. The function receives
    its name.
    """
    names = [n for n in net.layers["name"] if not spatial or net.layer(n).spatial]
    if not names or value is not None and value not in names:
        raise VizlibError(f"The layer {value!r} cannot be chosen here. {did_you_mean(value or '', names)}")
    return widgets.Dropdown(
        options=names, value=value or names[-1], description="layer", style=_WIDE, layout={"width": "300px"}
    )


def control(name, spec, default=None):
    """A widget for one argument: a widget as it is, (low, high[, step]) a slider, a list a menu, a bool a box
    to tick.
    """
    if isinstance(spec, widgets.Widget):
        return spec
    common = {"description": name, "style": _WIDE, "layout": {"width": "300px"}}
    if isinstance(spec, bool):
        return widgets.Checkbox(value=spec, **common)
    if isinstance(spec, list):
        if not spec or default is not None and default not in spec:
            raise VizlibError(
                f"The menu {name!r} does not hold its start value {default!r}; it holds {spec}."
            )
        return widgets.Dropdown(options=spec, value=spec[0] if default is None else default, **common)
    if isinstance(spec, tuple) and len(spec) in (2, 3) and all(isinstance(v, (int, float)) for v in spec):
        whole = all(isinstance(v, int) for v in spec)
        low, high, *step = spec
        step = step[0] if step else 1 if whole else (high - low) / 20
        if default is not None and not low <= default <= high:
            raise VizlibError(
                f"The slider {name!r} goes from {low} to {high}; its start value {default!r} lies outside."
            )
        kind = widgets.IntSlider if whole else widgets.FloatSlider
        return kind(
            min=low,
            max=high,
            step=step,
            value=low if default is None else default,
            continuous_update=False,
            **common,
        )
    raise VizlibError(
        f"The control {name!r} is a widget, a list, a bool or (low, high[, step]); this is {spec!r}."
    )


def argument(widget):
    """What the panel's function receives for this control."""
    return widget.argument if hasattr(widget, "argument") else widget.value


def assign(widget, value):
    """Set a control from Python. Raises VizlibError for what cannot be chosen."""
    if isinstance(widget, PhotoChoice):
        widget.choose(value)
    elif isinstance(widget, LabelChoice):
        widget.value = "" if value is None else str(value)
    else:
        if hasattr(widget, "min") and not (
            isinstance(value, (int, float)) and widget.min <= value <= widget.max
        ):
            raise VizlibError(
                f"{value!r} cannot be chosen here. It goes from {widget.min} to {widget.max}."
            )  # ipywidgets would clip it
        try:
            widget.value = value
        except traitlets.TraitError as problem:
            options = getattr(widget, "options", None)
            hint = did_you_mean(value, options) if options else ""
            raise VizlibError(f"{value!r} cannot be chosen here. {hint}") from problem
