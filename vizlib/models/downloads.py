"""Weights from the internet: are they here already, and does their host answer? Told within seconds."""

from __future__ import annotations

import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import torch

PATIENCE = 3.0  # seconds for a host to answer


def silence(url: str) -> str | None:
    """Why the host of `url` cannot be reached, or None if it can; told within PATIENCE seconds.

    Libraries that download try again and again, for most of a minute. Where a proxy is set up, the proxy is
    asked for: it alone is reached from here.
    """
    host, port = _first_stop(url)
    answers: list[str | None] = []

    def knock() -> None:
        try:
            socket.create_connection((host, port), PATIENCE).close()
            answers.append(None)
        except OSError as problem:
            answers.append(f"{host}: {problem}")

    thread = threading.Thread(target=knock, daemon=True)  # looking a name up knows no time limit of its own
    thread.start()
    thread.join(PATIENCE)
    return answers[0] if answers else f"{host} did not answer within {PATIENCE:g} seconds"


def _first_stop(url: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    usual = {"http": 80, "socks5": 1080, "socks5h": 1080, "socks4": 1080}
    return parts.hostname or "", parts.port or usual.get(parts.scheme, 443)


def downloaded(url: str) -> bool:
    """Is the file of this address among those that torch.hub keeps?"""
    return Path(torch.hub.get_dir(), "checkpoints", Path(urllib.parse.urlsplit(url).path).name).is_file()


def any_downloaded() -> dict[str, bool]:
    """Are there weights of torchvision, of timm, that were downloaded before?"""
    from huggingface_hub import constants

    return {
        "torchvision": any(Path(torch.hub.get_dir(), "checkpoints").glob("*.pth")),
        "timm": any(Path(constants.HF_HUB_CACHE).glob("models--timm--*/snapshots/*/*")),
    }


def timm_file(cfg: Any) -> str | None:
    """The weights of a pretrained_cfg of timm as a file of the Hugging Face cache, or None."""
    from huggingface_hub import try_to_load_from_cache

    if not cfg.hf_hub_id:
        return None
    repo, _, revision = cfg.hf_hub_id.partition("@")
    named = [cfg.hf_hub_filename] if cfg.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
    files = (try_to_load_from_cache(repo, name, revision=revision or None) for name in named)
    return next((file for file in files if isinstance(file, str)), None)


def timm_address(cfg: Any) -> str | None:
    """Where timm will ask for the weights of a pretrained_cfg, or None if torch.hub keeps them already."""
    from huggingface_hub import constants

    if cfg.hf_hub_id:
        return constants.ENDPOINT
    return None if downloaded(cfg.url) else cfg.url
