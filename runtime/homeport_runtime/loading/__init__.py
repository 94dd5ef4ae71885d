"""From a bundle to the object that is served: its manifest, its environment, its imports, and the server it names.

The code is imported from the bundle, as if it lay in the project's folder; packages may come out of one packed file
(packed). The runtime's hosts and takeover import it, and the platform for the manifest and the environment.
"""
