// ws, for Node.js: ws_node.cjs ROLE --port N [--compressed] [--tls FILE], as _peer.py has it.
'use strict'

const fs = require('fs')
const http = require('http')
const https = require('https')
const { createRequire } = require('module')
// TWOWAY_BENCH_NODE is the folder where npm has installed it.
const { WebSocketServer } = createRequire(process.env.TWOWAY_BENCH_NODE + '/')('ws')

const [role, ...rest] = process.argv.slice(2)
const value = (name) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined)

const pem = value('--tls') && fs.readFileSync(value('--tls'))
const server = pem ? https.createServer({ key: pem, cert: pem }) : http.createServer()
// By default it compresses nothing below 1 KiB; what it has to compress here is smaller.
const perMessageDeflate = rest.includes('--compressed') ? { threshold: 0 } : false
const sockets = new WebSocketServer({ server, perMessageDeflate, maxPayload: 0 })

const ROLES = {
  echo: () => (socket, data, isBinary) => socket.send(data, { binary: isBinary }),
  receive: () => {
    let number = 0
    return (socket, data) => (data.toString() === 'end' ? socket.send(String(number)) : number++)
  },
  broadcast: () => (socket, data) => {
    for (const other of sockets.clients) other.send(data, { binary: false })
  },
}

sockets.on('connection', (socket) => {
  const take = ROLES[role]()
  socket.on('message', (data, isBinary) => take(socket, data, isBinary))
  socket.on('error', () => {})
})
server.listen({ port: Number(value('--port')), host: '127.0.0.1', backlog: 1000 }, () => console.log('ready'))
