"""Names the paths in an image, which homeport_runtime.hosts.container knows, too."""

from __future__ import annotations

# As tar archives have them: without the leading slash.
ROOT = "opt/homeport"
PACKAGES = f"{ROOT}/layer"
RUNTIME = f"{ROOT}/runtime"
BUNDLE = f"{ROOT}/bundle"
START = f"{ROOT}/start.py"
BILL = f"{ROOT}/packages.cdx.json"

WORK = "var/lib/homeport"
FILES = f"{WORK}/files"
HOME = f"{WORK}/home"
WORK_FOLDERS = (WORK, FILES, f"{WORK}/sessions", HOME, f"{WORK}/cache")

# The user is nobody's, and any other may take its place: group 0 may write where it may. OpenShift starts containers so
# (https://docs.openshift.com/container-platform/latest/openshift_images/create-images.html).
UID = 65532
USER = f"{UID}:0"
WORK_MODE = 0o2775
PORT = 8000
