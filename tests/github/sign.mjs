// Signatures as GitHub's own library makes them: reads {secret, bodies} from stdin, prints a list.
import { sign } from "@octokit/webhooks-methods";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { secret, bodies } = JSON.parse(text);
console.log(JSON.stringify(await Promise.all(bodies.map((body) => sign(secret, body)))));
