// A web server by an old Node.js for 127.0.0.1: PORT CERTIFICATE KEY CIPHERS NEWEST, with NEWEST 1.0, 1.1 or 1.2.
// Answers every request with an empty page.
var constants = require('constants');
var fs = require('fs');
var https = require('https');

var port = +process.argv[2];
var newest = process.argv[6];
var without = constants.SSL_OP_NO_SSLv2 | constants.SSL_OP_NO_SSLv3;
if (newest !== '1.2') without |= constants.SSL_OP_NO_TLSv1_2;
if (newest === '1.0') without |= constants.SSL_OP_NO_TLSv1_1;
var options = {
  cert: fs.readFileSync(process.argv[3]),
  key: fs.readFileSync(process.argv[4]),
  ciphers: process.argv[5],
  secureProtocol: 'SSLv23_server_method',
  secureOptions: without
};
https.createServer(options, function (request, response) {
  response.writeHead(204);
  response.end();
}).listen(port, '127.0.0.1');
