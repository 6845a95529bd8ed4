// BullMQ: `add` submits arrays of items and prints the times; `fill` submits empty tasks; `work` runs tasks.
const fs = require("fs");
const { createRequire } = require("module");
const { Queue, Worker } = createRequire(process.env.BENCH_MODULES)("bullmq");

const [verb, first, second] = process.argv.slice(2);
const connection = { path: decodeURIComponent(process.env.BENCH_REDIS.replace("unix://", "")), maxRetriesPerRequest: null };
const options = { removeOnComplete: true, removeOnFail: true };

async function add(file, times) {
  const queue = new Queue("bench", { connection, defaultJobOptions: options });
  await queue.waitUntilReady();
  const body = fs.readFileSync(file, "utf8");
  const seconds = [];
  for (let time = 0; time < times; time++) {
    const began = process.hrtime.bigint();
    const jobs = await queue.addBulk(JSON.parse(body).map((data) => ({ name: "work", data })));
    JSON.stringify(jobs.map((job) => job.id));
    seconds.push(Number(process.hrtime.bigint() - began) / 1e9);
  }
  console.log(JSON.stringify({ seconds, mebibytes: Math.floor(process.resourceUsage().maxRSS / 1024) }));
  await queue.close();
}

async function fill(count) {
  const queue = new Queue("bench", { connection, defaultJobOptions: options });
  for (let sent = 0; sent < count; sent += 1000)
    await queue.addBulk(Array.from({ length: Math.min(1000, count - sent) }, () => ({ name: "noop", data: {} })));
  await queue.close();
}

function work(concurrency) {
  const done = fs.openSync(process.env.BENCH_DONE, "a");
  const worker = new Worker("bench", async () => { fs.writeSync(done, "x"); }, { connection, concurrency });
  process.on("SIGTERM", () => worker.close().then(() => process.exit(0)));
}

if (verb === "add") add(first, Number(second));
else if (verb === "fill") fill(Number(first));
else work(Number(first));
