// Sends the messages of files over MLLP with node-hl7-client: send.mjs PORT FILE...
// Prints one JSON object for each answer: what was sent and what came back.
import { readFileSync } from "node:fs";
import { Client, Message } from "node-hl7-client";

const [port, ...files] = process.argv.slice(2);
const messages = files.map((file) => new Message({ text: readFileSync(file, "utf8") }));
const client = new Client({ host: "127.0.0.1" });
const answers = [];
let heard;
const connection = client.createConnection({ port: Number(port), waitAck: true }, (answer) => {
  answers.push(answer.getMessage());
  heard();
});
const timer = setTimeout(() => {
  console.error("no answer");
  process.exit(1);
}, 20000);
connection.on("client.error", (fault) => {
  console.error(fault);
  process.exit(1);
});

async function send(message) {
  const answered = new Promise((resolve) => {
    heard = resolve;
  });
  await connection.sendMessage(message);
  await answered;
  console.log(JSON.stringify({ sent: message.toString(), code: answers.at(-1).get("MSA.1").toString(), id: answers.at(-1).get("MSA.2").toString() }));
}

for (const message of messages) await send(message);
clearTimeout(timer);
await connection.close();
process.exit(0);
