"""Contains what homeport uses of other libraries beyond what they promise, with one module for each library.

`tried` has the versions in which these parts were found, and `gaps` records those that a newer one lacks, so that a
deploy can report both. Three modules elsewhere use a library's internals, too: `takeover/transports` replaces the
methods with which SDKs and ASGI servers start to serve, `hosts/http_connection` extends uvicorn's HTTP protocol, and
`protocol/endpoints` reads the routes of Starlette apps. Servers, takeover and loading import this room, and it imports
a library only for a server that has loaded it.
"""
