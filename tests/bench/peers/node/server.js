// One row of a table as JSON: what a user of node:http and postgres.js would write.
import cluster from 'node:cluster';
import http from 'node:http';
import postgres from 'postgres';

// The best of 1 and 2 workers, with 4, 8, 16 and 32 connections in all. By pipelining, one
// connection for each worker is faster still here, but a slow query would hold up all others.
const workers = 2;
const connections = 4;

// postgres.js takes a socket's folder as an option only.
function database(text) {
  const url = new URL(text.replace('@/', '@localhost/'));
  const query = url.searchParams;
  return {
    host: query.get('host') ?? url.hostname,
    port: Number(query.get('port') ?? (url.port || 5432)),
    database: decodeURIComponent(url.pathname.slice(1)),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

function serve() {
  const sql = postgres({ ...database(process.env.DATABASE_URL), max: connections });

  async function answer(request, response) {
    const aid = /^\/accounts\/(\d+)$/.exec(request.url)?.[1];
    if (request.method !== 'GET' || aid === undefined) return response.writeHead(404).end();
    const [row] =
      await sql`select aid, bid, abalance, filler from pgbench_accounts where aid = ${aid}`;
    if (row === undefined) return response.writeHead(404).end();
    const body = JSON.stringify(row);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    return response.end(body);
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  });
  server.listen(Number(process.env.PORT), '127.0.0.1');
}

if (cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
} else {
  serve();
}
