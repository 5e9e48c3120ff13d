'use strict';
// The least that can answer: what Node itself needs for it, and nothing of this project.
require('node:http')
  .createServer((request, response) => {
    response.writeHead(204).end();
  })
  .listen(Number(process.env.PORT), '127.0.0.1');
