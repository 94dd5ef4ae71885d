"""Which distribution brings a module, where the two names differ. The longest dotted prefix wins."""

from __future__ import annotations

from packaging.utils import canonicalize_name

DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "Cryptodome": "pycryptodomex",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "absl": "absl-py",
    "attr": "attrs",
    "azure.ai.inference": "azure-ai-inference",
    "azure.cosmos": "azure-cosmos",
    "azure.identity": "azure-identity",
    "azure.keyvault.secrets": "azure-keyvault-secrets",
    "azure.search.documents": "azure-search-documents",
    "azure.storage.blob": "azure-storage-blob",
    "azure.storage.queue": "azure-storage-queue",
    "bs4": "beautifulsoup4",
    "bson": "pymongo",
    "cpuinfo": "py-cpuinfo",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dbus": "dbus-python",
    "discord": "discord-py",
    "distutils": "setuptools",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "frontmatter": "python-frontmatter",
    "gi": "pygobject",
    "git": "gitpython",
    "github": "pygithub",
    "gitlab": "python-gitlab",
    "google.ai.generativelanguage": "google-ai-generativelanguage",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.pubsub_v1": "google-cloud-pubsub",
    "google.cloud.secretmanager": "google-cloud-secret-manager",
    "google.cloud.tasks_v2": "google-cloud-tasks",
    "google.genai": "google-genai",
    "google.generativeai": "google-generativeai",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "grpc": "grpcio",
    "haystack": "haystack-ai",
    "jenkins": "python-jenkins",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "kafka": "kafka-python",
    "ldap": "python-ldap",
    "llama_index.core": "llama-index-core",
    "magic": "python-magic",
    "markdown_it": "markdown-it-py",
    "multipart": "python-multipart",
    "mysql": "mysql-connector-python",
    "nmap": "python-nmap",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.exporter.otlp": "opentelemetry-exporter-otlp",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "pkg_resources": "setuptools<81",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pythonjsonlogger": "python-json-logger",
    "pywintypes": "pywin32",
    "ruamel": "ruamel-yaml",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "snowflake.connector": "snowflake-connector-python",
    "socks": "pysocks",
    "speech_recognition": "speechrecognition",
    "sseclient": "sseclient-py",
    "telegram": "python-telegram-bot",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "whois": "python-whois",
    "win32api": "pywin32",
    "win32com": "pywin32",
    "wx": "wxpython",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}

# Namespaces that many distributions share, one each: google.cloud.storage is google-cloud-storage.
NAMESPACES = ("google.cloud", "llama_index.llms", "llama_index.embeddings", "llama_index.readers", "azure.mgmt")


def distribution(module: str) -> str:
    """The distribution, perhaps with a limit, that brings `module` (dotted; what follows the module is harmless)."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if known := DISTRIBUTIONS.get(".".join(parts[:length])):
            return known
    for namespace in NAMESPACES:
        rest = module.removeprefix(f"{namespace}.")
        if rest != module:
            return canonicalize_name(f"{namespace}.{rest.split('.')[0]}")
    return canonicalize_name(parts[0])
