from .moto_server import moto

__all__ = ["moto"]
