"""Maps modules to the distributions that contain them, by a table of known names.

Anyone can register a free name on PyPI, and what is installed from there runs as the user. So a module that is not in
this table is never installed from an index because of its name
(https://medium.com/@alex.birsan/dependency-confusion-4a5d60fec610).
"""

from __future__ import annotations

# Modules whose distribution has another name. The longest dotted prefix decides.
DISTRIBUTIONS = {
    "AppKit": "pyobjc-framework-cocoa",
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "Cryptodome": "pycryptodomex",
    "Foundation": "pyobjc-framework-cocoa",
    "MySQLdb": "mysqlclient",
    "OpenGL": "pyopengl",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "Quartz": "pyobjc-framework-quartz",
    "Xlib": "python-xlib",
    "a2a": "a2a-sdk",
    "absl": "absl-py",
    "agents": "openai-agents",
    "alpaca": "alpaca-py",
    "arango": "python-arango",
    "argon2": "argon2-cffi",
    "atlassian": "atlassian-python-api",
    "attr": "attrs",
    "barcode": "python-barcode",
    "binance": "python-binance",
    "bs4": "beautifulsoup4",
    "bson": "pymongo",
    "camelot": "camelot-py",
    "cassandra": "cassandra-driver",
    "corsheaders": "django-cors-headers",
    "cpuinfo": "py-cpuinfo",
    "cv2": "opencv-python-headless",
    "databricks.sql": "databricks-sql-connector",
    "dateutil": "python-dateutil",
    "dbus": "dbus-python",
    "decouple": "python-decouple",
    "deepgram": "deepgram-sdk",
    "discord": "discord-py",
    "distutils": "setuptools",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "edgar": "edgartools",
    "ee": "earthengine-api",
    "engineio": "python-engineio",
    "environ": "django-environ",
    "faiss": "faiss-cpu",
    "ffmpeg": "ffmpeg-python",
    "firecrawl": "firecrawl-py",
    "fitz": "pymupdf",
    "fpdf": "fpdf2",
    "frontmatter": "python-frontmatter",
    "gi": "pygobject",
    "git": "gitpython",
    "github": "pygithub",
    "gitlab": "python-gitlab",
    "google.api": "googleapis-common-protos",
    "google.cloud.bigquery_storage_v1": "google-cloud-bigquery-storage",
    "google.cloud.logging_v2": "google-cloud-logging",
    "google.cloud.monitoring_v3": "google-cloud-monitoring",
    "google.cloud.pubsub_v1": "google-cloud-pubsub",
    "google.cloud.resourcemanager_v3": "google-cloud-resource-manager",
    "google.cloud.run_v2": "google-cloud-run",
    "google.cloud.scheduler_v1": "google-cloud-scheduler",
    "google.cloud.secretmanager": "google-cloud-secret-manager",
    "google.cloud.tasks_v2": "google-cloud-tasks",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "google.type": "googleapis-common-protos",
    "googleapiclient": "google-api-python-client",
    "googlesearch": "googlesearch-python",
    "graphql": "graphql-core",
    "gridfs": "pymongo",
    "grpc": "grpcio",
    "guardrails": "guardrails-ai",
    "haystack": "haystack-ai",
    "hubspot": "hubspot-api-client",
    "hydra": "hydra-core",
    "imblearn": "imbalanced-learn",
    "jenkins": "python-jenkins",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "kafka": "kafka-python",
    "ldap": "python-ldap",
    "linkify_it": "linkify-it-py",
    "llama_cpp": "llama-cpp-python",
    "magic": "python-magic",
    "markdown_it": "markdown-it-py",
    "mastodon": "mastodon-py",
    "mem0": "mem0ai",
    "msgraph": "msgraph-sdk",
    "multipart": "python-multipart",
    "mysql": "mysql-connector-python",
    "nats": "nats-py",
    "newspaper": "newspaper3k",
    "nmap": "python-nmap",
    "novaclient": "python-novaclient",
    "objc": "pyobjc-core",
    "odf": "odfpy",
    "office365": "office365-rest-python-client",
    "opensearchpy": "opensearch-py",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "osgeo": "gdal",
    "paho": "paho-mqtt",
    "pdfminer": "pdfminer-six",
    "phoenix": "arize-phoenix",
    "pkg_resources": "setuptools<81",
    "plaid": "plaid-python",
    "pptx": "python-pptx",
    "progressbar": "progressbar2",
    "proto": "proto-plus",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pulsar": "pulsar-client",
    "pysqlite3": "pysqlite3-binary",
    "pythoncom": "pywin32",
    "pythonjsonlogger": "python-json-logger",
    "pywintypes": "pywin32",
    "readability": "readability-lxml",
    "rest_framework": "djangorestframework",
    "ruamel": "ruamel-yaml",
    "serial": "pyserial",
    "serpapi": "google-search-results",
    "shapefile": "pyshp",
    "shopify": "shopifyapi",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "snowflake.connector": "snowflake-connector-python",
    "socketio": "python-socketio",
    "socks": "pysocks",
    "speech_recognition": "speechrecognition",
    "spellchecker": "pyspellchecker",
    "sseclient": "sseclient-py",
    "stomp": "stomp-py",
    "strawberry": "strawberry-graphql",
    "tabula": "tabula-py",
    "talib": "ta-lib",
    "tavily": "tavily-python",
    "telegram": "python-telegram-bot",
    "tencentcloud": "tencentcloud-sdk-python",
    "tortoise": "tortoise-orm",
    "umap": "umap-learn",
    "upath": "universal-pathlib",
    "usb": "pyusb",
    "vertexai": "google-cloud-aiplatform",
    "volcenginesdkarkruntime": "volcengine-python-sdk",
    "weaviate": "weaviate-client",
    "websocket": "websocket-client",
    "webview": "pywebview",
    "whisper": "openai-whisper",
    "whois": "python-whois",
    "wikipediaapi": "wikipedia-api",
    "win32api": "pywin32",
    "win32com": "pywin32",
    "win32con": "pywin32",
    "win32gui": "pywin32",
    "wx": "wxpython",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}

# Widely used modules whose distribution has the same name, but for `-`, `_` and `.`.
_SAME_NAME = frozenset(
    """
accelerate agno aio_pika aioboto3 aiobotocore aiocache aiocsv aiodns aiofile aiofiles aiogram aiohappyeyeballs aiohttp
aiohttp_cors aiohttp_jinja2 aiohttp_retry aiohttp_session aiohttp_socks aiohttp_sse_client aioice aiokafka aiolimiter
aiomqtt aiomysql aioodbc aiopg aioredis aioresponses aiortc aiosignal aiosmtplib aiosqlite aiostream akshare
albumentations alembic altair anki annotated_types annoy ansible_runner anthropic anyio apispec apprise apscheduler
arcade_core argcomplete arq arrow arviz arxiv asana ase asgiref assemblyai astor astral astropy astroquery asttokens
astunparse async_lru async_timeout asyncclick asyncer asyncio_mqtt asyncmy asyncpg asyncpraw asyncssh atproto attrs
authlib autogen_agentchat automat av awswrangler azure.ai.agents azure.ai.documentintelligence azure.ai.evaluation
azure.ai.formrecognizer azure.ai.inference azure.ai.projects azure.ai.textanalytics azure.appconfiguration
azure.cognitiveservices.speech azure.communication.email azure.containerregistry azure.core azure.cosmos
azure.data.tables azure.devops azure.eventgrid azure.eventhub azure.functions azure.identity
azure.keyvault.certificates azure.keyvault.keys azure.keyvault.secrets azure.kusto.data azure.mgmt.authorization
azure.mgmt.compute azure.mgmt.containerinstance azure.mgmt.containerregistry azure.mgmt.containerservice
azure.mgmt.core azure.mgmt.cosmosdb azure.mgmt.costmanagement azure.mgmt.keyvault azure.mgmt.kusto
azure.mgmt.loganalytics azure.mgmt.monitor azure.mgmt.network azure.mgmt.postgresqlflexibleservers azure.mgmt.rdbms
azure.mgmt.redis azure.mgmt.resource azure.mgmt.resourcegraph azure.mgmt.search azure.mgmt.sql azure.mgmt.storage
azure.mgmt.subscription azure.mgmt.web azure.monitor.opentelemetry azure.monitor.query azure.search.documents
azure.servicebus azure.storage.blob azure.storage.file.share azure.storage.queue babel backoff backtrader bcrypt
beanie beartype bibtexparser bidict billiard binaryornot biopython bitsandbytes black blake3 bleach bleak blessed
blinker blosc blosc2 bokeh boltons boto boto3 botocore bottle boxsdk braintree branca brotli browser_use cachecontrol
cachetools cairocffi cairosvg caldav capstone casadi catboost category_encoders cattrs cbor2 ccxt cdktf celery censys
cerberus certifi certipy cffi chainlit chardet charset_normalizer cherrypy chess chromadb cirq clearml click
click_default_group clickhouse_connect clickhouse_driver cloudflare cloudpathlib cloudpickle cloudscraper cognee
cohere colorama colored coloredlogs colorlog comet_ml commonmark configobj confluent_kafka constructs contextily
contextlib2 contourpy convertdate cookiecutter couchbase crawl4ai crewai cron_descriptor croniter cryptography
css_inline cssselect cssselect2 cssutils cvxopt cvxpy cyclopts cython cytoolz dacite dagster daphne dash dashscope
dask databases databricks.sdk dataclasses_json datadog dataproperty dataset datasets datashader dateparser dbutils
ddgs ddtrace deap deepdiff deepl defusedxml dependency_injector deprecated deprecation devtools dicttoxml diffusers
dill dirtyjson diskcache distributed distro django dlt docker dockerfile_parse docling docopt docstring_parser
docutils docx2txt docxtpl dpath dpkt dramatiq drawsvg dropbox dspy duckdb duckduckgo_search dulwich durationpy
dynaconf easyocr ebooklib ecdsa edge_tts editdistance einops elastic_transport elasticsearch elasticsearch_dsl
elevenlabs eli5 email_validator emcee emoji environs envparse ephem esprima et_xmlfile eth_account eth_utils evaluate
exa_py exceptiongroup executing fabric facebook_business facenet_pytorch faker fakeredis fal_client falcon falkordb
fastai fastapi fastapi_mcp fastapi_pagination fastapi_sso fastapi_users fastapi_utils fastavro fastembed fasteners
faster_whisper fastexcel fastjsonschema fastmcp fastparquet featuretools feedgen feedparser fhir_resources fhirclient
filelock filetype fiona fire flashrank flask flask_caching flask_cors flask_jwt_extended flask_limiter flask_login
flask_migrate flask_restx flask_socketio flask_sqlalchemy flask_wtf flatbuffers flatten_json fnv_hash_fast folium
fonttools freezegun frozendict frozenlist fsspec ftfy funcy furl fuzzywuzzy garminconnect garth gcsfs gdown geemap
gensim geoalchemy2 geocoder geographiclib geoip2 geojson geopandas geopy gevent ghapi gidgethub gmpy2 gnupg
google.ai.generativelanguage google.api_core google.auth google.cloud.aiplatform google.cloud.automl
google.cloud.bigquery google.cloud.bigquery_storage google.cloud.bigtable google.cloud.billing google.cloud.compute
google.cloud.datastore google.cloud.dialogflow google.cloud.discoveryengine google.cloud.dlp google.cloud.documentai
google.cloud.firestore google.cloud.functions google.cloud.kms google.cloud.language google.cloud.logging
google.cloud.monitoring google.cloud.ndb google.cloud.run google.cloud.scheduler google.cloud.spanner
google.cloud.speech google.cloud.storage google.cloud.texttospeech google.cloud.translate
google.cloud.videointelligence google.cloud.vision google.cloud.workflows google.genai google.generativeai
google_auth_httplib2 google_auth_oauthlib googlemaps gpiozero gpt4all gpxpy gql gradio gradio_client granian graphene
graphiti_core graphviz great_expectations greenlet grequests groq grpclib gspread gtts gunicorn gurobipy gymnasium h11
h2 h3 h5py habanero hcloud hdbscan highspy hiredis hishel hjson hl7 hnswlib holidays holoviews hpack html2text
html5lib html_text htmldate htmlmin httplib2 httptools httpx httpx_aiohttp httpx_sse httpx_ws huey huggingface_hub
humanfriendly humanize hvac hvplot hypercorn hyperframe hyperlink hypothesis icalendar icecream icmplib icontract ics
idna igraph ijson imagehash imageio imageio_ffmpeg imap_tools imapclient img2pdf imgaug immutabledict impacket
importlib_metadata importlib_resources inflect inflection influxdb iniconfig injector inquirer insightface instagrapi
instaloader instructor ipinfo ipykernel IPython ipywidgets isodate isort itsdangerous jaconv janus javaproperties jax
jaxlib jedi jellyfish jieba jinja2 jira jiter jmespath joblib joserfc json5 json_repair jsondiff jsonlines jsonpatch
jsonpath_ng jsonpickle jsonpointer jsonref jsonschema jsonschema_specifications jupyter_client jupyter_core justext
kaggle kagglehub kaleido kedro keras keyring keystoneauth1 kiteconnect kombu kornia kubernetes kubernetes_asyncio
lancedb langchain langchain_anthropic langchain_aws langchain_chroma langchain_community langchain_core
langchain_experimental langchain_google_genai langchain_groq langchain_huggingface langchain_mcp_adapters
langchain_mistralai langchain_ollama langchain_openai langchain_postgres langchain_qdrant langchain_text_splitters
langcodes langdetect langfuse langgraph langsmith language_tool_python lark lark_oapi ldap3 Levenshtein levenshtein
libcst librosa libtmux lifelines lightgbm lightning lime line_profiler litellm litestar llama_index llama_index.core
llama_index.embeddings.azure_openai llama_index.embeddings.huggingface llama_index.embeddings.ollama
llama_index.embeddings.openai llama_index.llms.anthropic llama_index.llms.azure_openai
llama_index.llms.bedrock_converse llama_index.llms.gemini llama_index.llms.groq llama_index.llms.ollama
llama_index.llms.openai llama_index.llms.openai_like llama_index.readers.file llama_index.readers.web
llama_index.tools.mcp llama_index.vector_stores.chroma llama_index.vector_stores.postgres
llama_index.vector_stores.qdrant llama_parse llvmlite logbook logfire loguru logzero loro luigi lupa lxml
lxml_html_clean lz4 m3u8 mailjet_rest mako mammoth manim mapbox marimo marisa_trie markdown markdown2 markdown_pdf
markdownify markitdown markupsafe marshmallow marvin mashumaro matplotlib maxminddb mcp mcp_types mcp_use mcpo
mdformat mdurl mechanicalsoup mediapipe meilisearch memory_profiler meson metaflow meteostat mgrs mido minify_html
minio mirascope mistralai mistune mixpanel mkdocs mlflow mlx mlxtend mmh3 mne modal moderngl modin mongoengine
more_itertools moto motor moviepy mplfinance mpmath msal msal_extensions msgpack msgspec msrest multidict multimethod
multiprocess murmurhash music21 mutagen mwclient mwparserfromhell mygene mypy nanoid napalm narwhals natsort nbclient
nbconvert nbformat ncclient neo4j nest_asyncio netaddr netifaces netmiko networkx nextcord nh3 nibabel nicegui nilearn
niquests nltk node2vec noisereduce nornir notion_client nox numba numexpr numpy oauthlib objgraph obspy oci ocrmypdf
oletools ollama omegaconf onnx onnxruntime open3d openai openapi_core openapi_python_client openapi_schema_validator
openapi_spec_validator opencc openmeteo_requests openpyxl opentelemetry.exporter.otlp
opentelemetry.exporter.prometheus opentelemetry.instrumentation.asgi opentelemetry.instrumentation.fastapi
opentelemetry.instrumentation.httpx opentelemetry.instrumentation.logging opentelemetry.instrumentation.requests
opentelemetry.instrumentation.sqlalchemy opentelemetry.instrumentation.starlette opentelemetry.sdk opik optimum optuna
oracledb orjson ormar ormsgpack ortools osmnx oss2 outlines overpy owlready2 packaging pandas pandas_ta pandasai
pandera panel papermill paramiko parse parsedatetime parsel parsimonious parso passlib pathos pathspec pathvalidate
patsy pdf2image pdfplumber pdoc pedalboard peewee pefile peft pendulum pennylane persistent pettingzoo pexpect pgmpy
pgvector phonenumbers piccolo pika pikepdf pillow_heif pinecone ping3 pint pip pipdeptree pkginfo plac platformdirs
playwright plotly plotnine pluggy plumbum ply pm4py pmdarima podman polars polib pony portalocker posthog praw prefect
premailer presidio_analyzer presidio_anonymizer prettytable procrastinate prometheus_client prompt_toolkit pronto
propcache prophet proxmoxer psutil psycopg_pool ptpython ptyprocess pubchempy pulp punq pure_eval puremagic py py7zr
pyairtable pyalex pyarrow pyasn1 pyasn1_modules pyaudio pyautogui pybase64 pybind11 pybtex pycognito pycountry
pycparser pydantic pydantic_ai pydantic_core pydantic_extra_types pydantic_graph pydantic_settings pydeck pydicom
pydot pydrive2 pydub pyee pyfiglet pygad pygal pygame pygit2 pyglet pygments pyhive pyhocon pyinstrument pyjokes
pylatexenc pylint pylru pylxd pymatgen pymc pymilvus pymisp pymodbus pymongo pympler pymssql pymupdf pymupdf4llm
pymysql pynetbox pynndescent pynput pyodbc pyomo pyotp pyowm pypandoc pyparsing pypdf pypdf2 pypdfium2 pyperclip
pypinyin pyproj PyQt5 PyQt6 pyquery pyrate_limiter pyrogram pyroute2 pyrsistent pysbd pyscreeze pysftp pyshark PySide6
pysnmp pyspark pystac pystac_client pyte pytesseract pytest pytest_asyncio pytimeparse pytimeparse2 pytorch_lightning
pytrends pyttsx3 pytube pytubefix pytz pytz_deprecation_shim pyvis pyvisa pyvista pywebpush pywikibot pyxlsb pyzbar
pyzipper pyzotero qdrant_client qiskit qrcode quart questionary qutip rapidfuzz rapidocr_onnxruntime rarfile rasterio
rasterstats ratelimit ray rdflib rdkit readabilipy readchar records recurring_ical_events redis redis_om redisvl
referencing regex replicate reportlab requests requests_cache requests_file requests_futures requests_html
requests_mock requests_oauthlib requests_toolbelt resend responses respx retry retrying returns rfc3339_validator
rfc3986 rich rich_argparse rich_click rioxarray rlp roboflow roman rpds_py rq rsa ruff rustworkx s2sphere s3fs s3path
s3transfer safetensors sanic saq scalene scapy schedule schema schemathesis scholarly scipy scrapegraphai scrapli
scrapling scrapy seaborn secretstorage segno selectolax selenium selenium_stealth semantic_kernel semanticscholar
semver sentence_transformers sentencepiece sentry_sdk setproctitle setuptools sexpdata sgp4 sh shap shapely
shellingham shodan shortuuid signalwire simple_parsing simple_salesforce simpleeval simplejson singer_sdk six sktime
slack_bolt slack_sdk slowapi smart_open smbprotocol smmap smolagents sniffio snowballstemmer solders sortedcontainers
sounddevice soundfile soupsieve spacy sparqlwrapper sphinx spotipy sqladmin sqlalchemy sqlalchemy_utils sqlfluff
sqlglot sqlite_utils sqlite_vec sqlmesh sqlmodel sqlparse srsly sse_starlette sshtunnel stable_baselines3 stanza
starlette starlette_context statsmodels stix2 stravalib streamlit strictyaml stripe striprtf structlog supabase
supervision surrealdb svglib svgwrite sympy symspellpy synchronicity ta tableauhyperapi tableauserverclient tabulate
taskiq telethon tenacity tensorboard tensorflow tensorflow_datasets tensorflow_hub termcolor textblob textdistance
texttable textual thefuzz threadpoolctl tifffile tiktoken timm tinycss2 tinydb tldextract todoist_api_python together
tokenizers toml tomli tomli_w tomlkit toolz torch torchaudio torchmetrics torchvision tornado tqdm trafilatura
traitlets transformers tree_sitter tree_sitter_language_pack tree_sitter_languages tree_sitter_python treq trimesh
trino trio trio_websocket trl truststore tsfresh tslearn turbopuffer tushare tweepy twilio twisted typeguard typer
typing_extensions typing_inspect typing_inspection tzdata tzlocal ujson ultralytics unidecode unidiff unstructured
unstructured_client uritemplate url_normalize urllib3 urwid usaddress user_agents utm uuid6 uuid7 uuid_utils uvicorn
uvloop validators viztracer vllm vobject voluptuous vosk voyageai vtk w3lib waitress wakeonlan wandb watchdog
watchfiles watchgod wcwidth weasyprint web3 webargs webcolors webdriver_manager websockets wechatpy werkzeug wheel
whenever whoosh wikipedia wolframalpha wordcloud workalendar wrapt wsproto wtforms xarray xgboost xlrd xlsxwriter
xlwings xlwt xmlschema xmltodict xxhash yahooquery yappi yarl yaspin ydata_profiling yellowbrick yfinance
youtube_transcript_api yt_dlp ytmusicapi zarr zeep zenml zep_cloud zeroconf zhipuai zipp zstandard zstd zulip
""".lower().split()
)


def distribution(module: str) -> str | None:
    """Returns the distribution, perhaps with a version limit, that is known to contain `module`; None if none is known.

    `module` is dotted, and may be followed by the name of something in the module.
    """
    # Imported late, as in imports.py.
    from packaging.utils import canonicalize_name

    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if known := DISTRIBUTIONS.get(prefix):
            return known
        if prefix.lower() in _SAME_NAME:
            return canonicalize_name(prefix)
    return None
