// Has a program find names below `localhost` on this machine, as browsers do: node --import ./finds_localhost.mjs ...
import dns from "node:dns";

const lookup = dns.lookup;
dns.lookup = (host, ...rest) => lookup(host.endsWith(".localhost") ? "127.0.0.1" : host, ...rest);
