"""FlySim: Fly Machines, as far as a fleet of runners meets them."""

from simulator.fly.model import FlySim

__all__ = ["FlySim"]
