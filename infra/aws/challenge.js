// Runs at CloudFront before it answers a client, and restores the status and the challenge of a refusal, which
// homeport_runtime/hosts/aws_lambda/front.py sends in headers.
function handler(event) {
    var response = event.response;
    var headers = response.headers;
    var status = headers['x-homeport-status'];
    var challenge = headers['x-homeport-challenge'];
    if (status && challenge) {
        response.statusCode = Number(status.value);
        response.statusDescription = status.value === '401' ? 'Unauthorized' : 'Forbidden';
        headers['www-authenticate'] = { value: challenge.value };
        delete headers['x-homeport-status'];
        delete headers['x-homeport-challenge'];
    }
    return response;
}
