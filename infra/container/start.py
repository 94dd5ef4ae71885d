"""Starts what homeport has put into this image.

That is the server, with `health` its health check, with `zygote SOCKET` the zygote of a platform's workers.
"""

import sys

sys.path.append("/opt/homeport/runtime")

if sys.argv[1:2] == ["health"]:
    from homeport_runtime.hosts.container import health

    health.main()
elif sys.argv[1:2] == ["zygote"]:
    from homeport_runtime.hosts.container import zygote

    zygote.main(sys.argv[2])
else:
    from homeport_runtime.hosts.container import serve

    serve.main()
